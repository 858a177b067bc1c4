import Foundation
import Storage
import Testing

extension RunnerTests {
  /// Whatever ends a run, what it has written stays good and the rest can be made up.
  @Suite struct InterruptionTests {
    let runner: Runner

    init() throws { runner = try Runner() }

    private func weights(_ run: String) throws -> Data {
      try runner.bytes("\(run)/weights.safetensors")
    }

    /// Overrides of the recipe: none, generated images in every batch, dropouts.
    @Test(arguments: [
      [], ["data.extra=digits", "data.extra_fraction=0.5"], ["model.name=dropout.ir"],
    ])
    func killedRunResumesToTheSameBits(overrides: [String]) throws {
      try writeDropoutNetwork()
      let recipe = try runner.recipe(epochs: 6, clat: 6)
      let train = ["train", recipe] + overrides.flatMap { ["--set", $0] }
      let whole = try runner.start(train + ["--out", "whole"]).wait()
      #expect(whole.code == 0, "\(whole.error)")
      let running = try runner.start(
        train + ["--out", "killed", "--set", "checkpoint.every_steps=2"])
      #expect(running.waits { runner.checkpoints("killed").count > 1 })
      running.signal(SIGKILL)
      #expect(try running.wait().code == 128 + 9)
      let resumed = try runner.run("train", "--resume", "killed")
      #expect(resumed.code == 0, "\(resumed.error)")
      #expect(resumed.error.contains("going on from"))
      #expect(try weights("killed") == weights("whole"))
      let last = try #require(runner.checkpoints("whole").last)
      #expect(runner.checkpoints("killed").last == last)
      #expect(
        try runner.bytes("killed/checkpoints/\(last)")
          == runner.bytes("whole/checkpoints/\(last)"))
    }

    /// `dropout.ir`: small-cnn for the digits, with a dropout before its linear layer.
    private func writeDropoutNetwork() throws {
      let text = try runner.run(
        "inspect", "network", "--model", "small-cnn:width=8", "--image", "8x8x1",
        "--classes", "10"
      ).output
      let pooled = try #require(text.firstMatch(of: /(%\d+) = global_avg_pool .*\n/))
      let draws = "input %900 \"ids\" data : i32[1]\ninput %901 \"stream\" data : i32[4]\n"
      let dropout =
        "%902 = dropout \(pooled.1), %900, %901 {layer = 0, rate = 0.5} : f32[1,32]\n"
      try runner.write(
        "dropout.ir",
        text.replacing("linear \(pooled.1),", with: "linear %902,")
          .replacing(pooled.0, with: pooled.0 + dropout)
          .replacing("input %1 ", with: draws + "input %1 "))
    }

    /// The weights that a run began with are needed only as long as it has no checkpoint.
    @Test func resumesWithoutItsFirstWeights() throws {
      let recipe = try runner.recipe(epochs: 1)
      #expect(try runner.run("train", recipe, "--out", "base").code == 0)
      let weights = "base/weights.safetensors"
      let more = try runner.recipe(epochs: 3)
      let whole = try runner.run("train", more, "--weights", weights, "--out", "whole")
      #expect(whole.code == 0, "\(whole.error)")
      let running = try runner.start(["train", more, "--weights", weights, "--out", "killed"])
      #expect(running.waits { !runner.checkpoints("killed").isEmpty })
      running.signal(SIGKILL)
      _ = try running.wait()
      try FileManager.default.moveItem(atPath: runner.path("base"), toPath: runner.path("moved"))
      let resumed = try runner.run("train", "--resume", "killed")
      #expect(resumed.code == 0, "\(resumed.error)")
      #expect(try self.weights("killed") == self.weights("whole"))
      for name in runner.checkpoints("killed") {
        try FileManager.default.removeItem(atPath: runner.path("killed/checkpoints/" + name))
      }
      let begun = try runner.run("train", "--resume", "killed")
      #expect(begun.code == 66 && begun.errorLines.last?.contains(weights) == true)
    }

    @Test(arguments: [SIGINT, SIGTERM]) func signalLeavesACheckpoint(_ number: Int32) throws {
      let recipe = try runner.recipe(epochs: 200)
      let running = try runner.start(["train", recipe, "--out", "run"])
      #expect(running.waits { !runner.checkpoints("run").isEmpty })
      running.signal(number)
      let result = try running.wait()
      #expect(result.code == 130, "\(result.error)")
      #expect(result.error.contains("clat train --resume run"))
      let last = try #require(runner.checkpoints("run").last)
      let checkpoint = try Checkpoint.read(runner.path("run/checkpoints/\(last)"))
      #expect(checkpoint.epoch < 200)
    }

    @Test func threadsDoNotChangeBits() throws {
      let recipe = try runner.recipe(epochs: 2, clat: 2)
      for threads in ["1", "2", "3"] {
        let result = try runner.run("train", recipe, "--out", "t\(threads)", "--threads", threads)
        #expect(result.code == 0, "\(result.error)")
      }
      #expect(try weights("t1") == weights("t2"))
      #expect(try weights("t1") == weights("t3"))
    }

    @Test func fullDiskLeavesEarlierCheckpoints() throws {
      let recipe = try runner.recipe(epochs: 200)
      let running = try runner.start(["train", recipe, "--out", "run"])
      #expect(running.waits { !runner.checkpoints("run").isEmpty })
      running.signal(SIGINT)
      #expect(try running.wait().code == 130)
      let before = runner.checkpoints("run")
      // Metrics still fit, a checkpoint does not.
      let full = try runner.run("train", "--resume", "run", shell: "ulimit -f 80")
      #expect(full.code == 74, "\(full.error)")
      #expect(full.errorLines.last?.contains("larger than") ?? false, "\(full.error)")
      #expect(runner.checkpoints("run") == before)
      let last = try #require(before.last)
      #expect(throws: Never.self) { try Checkpoint.read(runner.path("run/checkpoints/\(last)")) }
    }

    @Test func unwritable() throws {
      let recipe = try runner.recipe(epochs: 1)
      let train = try runner.run("train", recipe, "--out", "/dev/null/run")
      #expect(train.code == 73, "\(train.error)")
      #expect(train.errorLines.count == 1)
      #expect(try runner.run("models", shell: "exec >/dev/full").code == 74)
      #expect(try runner.run("train", recipe, "--out", "run").code == 0)
      let predict = try runner.run(
        "predict", "--model", "small-cnn:width=8", "--weights", "run", "--data", "digits", "--out",
        "/dev/null/file")
      #expect(predict.code == 73, "\(predict.error)")
    }
  }
}
