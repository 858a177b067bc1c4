import Foundation
import Storage
import Testing

extension RunnerTests {
  /// Weights of other formats in every command that takes them, and conversions between formats.
  @Suite struct WeightsTests {
    let runner: Runner

    init() throws {
      runner = try Runner()
      #expect(try runner.run("train", runner.recipe(epochs: 1), "--out", "run").code == 0)
    }

    private func accuracy(_ weights: String) throws -> [String: Any] {
      try runner.run(
        "evaluate", "--model", "small-cnn:width=8", "--weights", weights, "--data", "digits",
        "--json"
      ).object()
    }

    @Test func conversionsKeepTheNetwork() throws {
      let converted = try runner.run("convert", "run", "a.pth", "--json").object()
      #expect(converted["tensors"] as? Int == 17 && converted["format"] as? String != nil)
      #expect(try runner.run("convert", "a.pth", "b.safetensors").code == 0)
      let named = try runner.run(
        "convert", "a.pth", "c.pth", "--model", "small-cnn:width=8", "--image", "8x8x1")
      #expect(named.code == 0 && named.output.hasPrefix("wrote c.pth: 17 tensors"))
      let expected = try accuracy("run")["clean_correct"] as? Int
      for file in ["a.pth", "b.safetensors", "c.pth", "run/weights.safetensors"] {
        #expect(try accuracy(file)["clean_correct"] as? Int == expected, "\(file)")
      }
      // A network gives its own order, safetensors has none.
      let (plain, own) = (
        try WeightFile.read(runner.path("a.pth")), try WeightFile.read(runner.path("c.pth"))
      )
      #expect(plain.tensors.first?.name == "bn1.bias" && own.tensors.first?.name == "conv1.weight")
      #expect(plain.tensors == own.tensors.sorted { $0.name < $1.name })
      // A recipe takes them too.
      let trained = try runner.run(
        "train", runner.recipe(epochs: 1), "--out", "next", "--set", "model.weights=a.pth")
      #expect(trained.code == 0, "\(trained.error)")
    }

    @Test func checkpointsAreShown() throws {
      let shown = try runner.run("checkpoint", "show", "run", "--tensors")
      for part in [
        "checkpoint of clat", "epoch: 1", "model: small-cnn:width=8", "metrics: epoch 0",
        "run: run (recipe.yaml)", "hash: ", "optimizer", "conv1.weight",
      ] {
        #expect(shown.output.contains(part), "no \(part) in \(shown.output)")
      }
      let object = try runner.run("checkpoint", "show", "run", "--json").object()
      #expect((object["tensors"] as? [Any])?.count ?? 0 > 17)
      #expect(object["checkpoint"] as? Bool == true && object["hash"] is String)
      // The network of the last checkpoint is that of the run.
      let parts = try #require(object["parts"] as? [[String: Any]])
      let weights = try runner.run("checkpoint", "show", "run/weights.safetensors", "--json")
      #expect(try weights.object()["hash"] as? String == parts[0]["hash"] as? String)
      let name = try #require(runner.checkpoints("run").last)
      var bytes = try runner.bytes("run/checkpoints/" + name)
      bytes[bytes.count - 1] ^= 1
      try bytes.write(to: URL(fileURLWithPath: runner.path("changed.safetensors")))
      let changed = try runner.run("checkpoint", "show", "changed.safetensors")
      #expect(changed.code == 65 && changed.error.contains("does not match its hash"))
    }

    @Test func wrongFilesAreNamed() throws {
      let ending = try runner.run("convert", "run", "a.txt")
      #expect(ending.code == 64 && ending.error.contains(".safetensors, .pth"))
      let part = try runner.run("convert", "run/weights.safetensors:ema", "a.pth")
      #expect(part.code == 65 && part.error.contains("holds no 'ema'"))
      try runner.write("weights.pth", "no weights")
      let text = try runner.run("convert", "weights.pth", "a.safetensors")
      #expect(text.code == 65 && text.error.contains("weights.pth: "))
      let missing = try runner.run("checkpoint", "show", "none.pth")
      #expect(missing.code == 66 && missing.errorLines.count == 1)
    }
  }
}
