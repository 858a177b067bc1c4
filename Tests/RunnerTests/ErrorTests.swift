import Foundation
import Testing

/// All tests start processes that use every CPU: one after the other.
@Suite(.serialized) enum RunnerTests {}

extension RunnerTests {
  /// Bad input gives one line that names the place, and the right exit code.
  @Suite struct ErrorTests {
    let runner: Runner

    init() throws { runner = try Runner() }

    private func expect(
      _ code: Int32, _ parts: [String], _ result: Result,
      sourceLocation: SourceLocation = #_sourceLocation
    ) {
      #expect(result.code == code, "\(result.error)", sourceLocation: sourceLocation)
      #expect(result.errorLines.count == 1, "\(result.error)", sourceLocation: sourceLocation)
      #expect(result.output.isEmpty, sourceLocation: sourceLocation)
      for part in parts {
        #expect(result.error.contains(part), "\(result.error)", sourceLocation: sourceLocation)
      }
    }

    @Test(arguments: [
      (["bogus"], ["bogus"]),
      (["models", "--bogus"], ["--bogus", "clat models --help"]),
      (["inspect", "graph", "--model", "resnet2"], ["resnet2", "did you mean 'resnet20'"]),
      (["inspect", "graph", "--batch", "0"], ["--batch 0", "1..."]),
      (["inspect", "graph", "--batch", "many"], ["many", "--batch"]),
      (["inspect", "graph", "--stop-after", "nothing"], ["nothing", "differentiate"]),
      (["inspect", "graph", "--program", "clat", "--critical", "99"], ["99", "0...18"]),
      (
        ["inspect", "graph", "--program", "clat", "--critical", "layer1.0.conv3"],
        ["--critical", "layer1.0.conv3", "did you mean 'layer1.0.conv1'"]
      ),
      (["inspect", "graph", "--candidates", "layer4"], ["--candidates", "layer4", "resnet20"]),
      (["inspect", "graph", "--candidates", "conv1", "--unit", "block"], ["--candidates"]),
      (["profile", "--runs", "0"], ["--runs 0"]),
      (["benchmark", "--steps", "0"], ["--steps 0"]),
      (["benchmark", "--serve"], ["--serve", "--engine"]),
      (["train"], ["expected a recipe"]),
      (["quickstart", "--epochs", "1"], ["--epochs 1"]),
    ])
    func usage(_ arguments: [String], _ parts: [String]) throws {
      expect(64, parts, try runner.start(arguments).wait())
    }

    @Test(arguments: [
      ("run pgd", ["expected {", "run pgd"]), ("{\"run\": \"pdg\"}", ["'pdg'", "pgd", "limits"]),
    ])
    func requests(_ line: String, _ parts: [String]) throws {
      try runner.write("requests", line + "\n")
      let arguments = ["benchmark", "--serve", "--engine", "eager", "--work", "pgd"]
      expect(65, parts, try runner.start(arguments, shell: "exec <requests").wait())
    }

    @Test(arguments: [
      (["--attack", "autoattack"], ["autoattack", "none, fgsm, pgd"]),
      (["--attack", "pgd", "--norm", "l2"], ["l2", "linf"]),
      (["--attack", "pgd", "--eps", "8/0"], ["8/0", "--eps"]),
      (["--attack", "pgd", "--restarts", "0"], ["--restarts 0"]),
      (["--attack", "fgsm", "--steps", "3"], ["--steps", "fgsm"]),
      (["--count", "1000"], ["--count 1000", "1...360"]),
      (["--batch", "0"], ["--batch 0"]),
      (["--threads", "0"], ["--threads 0"]),
      (["--mean", "0.5"], ["mean and std"]),
    ])
    func evaluationUsage(_ arguments: [String], _ parts: [String]) throws {
      _ = try runner.run("train", runner.recipe(epochs: 1), "--out", "run")
      let base = [
        "evaluate", "--model", "small-cnn:width=8", "--weights", "run", "--data", "digits",
      ]
      expect(64, parts, try runner.start(base + arguments).wait())
    }

    /// What does not fit is refused before it runs, with a batch that does fit.
    @Test func memory() throws {
      func benchmark(_ batch: String) throws -> Result {
        try runner.run(
          "benchmark", "--model", "small-cnn", "--work", "forward", "--engine", "compiled",
          "--runs", "1", "--threads", "1", "--memory", "20MB", "--json", "--batch", batch)
      }
      let refused = try benchmark("4096")
      expect(64, ["--batch 4096", "arena", "20.0 MB are available", "largest batch"], refused)
      let words = refused.error.split(whereSeparator: \.isWhitespace)
      let largest = try #require(words.last.flatMap { Int($0) })
      #expect(try benchmark("\(largest)").code == 0)
      #expect(try benchmark("\(largest + 1)").code == 64)
      expect(
        64, ["optimizer.batch_size 64", "not even a batch of 1"],
        try runner.run("train", runner.recipe(), "--out", "small", "--memory", "1kB"))
      #expect(!FileManager.default.fileExists(atPath: runner.path("small")))
      let trained = try runner.run("train", runner.recipe(epochs: 1), "--out", "run")
      #expect(trained.error.contains("memory "), "\(trained.error)")
      expect(
        64, ["--batch 128", "largest batch that fits"],
        try runner.run(
          "evaluate", "--model", "small-cnn:width=8", "--weights", "run", "--data", "digits",
          "--threads", "1", "--memory", "8700kB"))
      expect(64, ["--memory", "lots"], try runner.run("benchmark", "--memory", "lots"))
    }

    @Test func missingInput() throws {
      let weights = try runner.run(
        "evaluate", "--model", "resnet20", "--weights", "none.safetensors", "--data", "digits")
      expect(66, ["none.safetensors", "not found"], weights)
      let data = try runner.run(
        "evaluate", "--model", "resnet20", "--weights", "none", "--data", "nowhere")
      expect(66, ["nowhere", "not found"], data)
      expect(66, ["none.yaml"], try runner.run("train", "none.yaml"))
      expect(66, ["nowhere"], try runner.run("train", "--resume", "nowhere"))
      expect(66, ["none.ir"], try runner.run("inspect", "graph", "--model", "none.ir"))
    }

    @Test func damagedRecords() throws {
      func evaluate() throws -> Result {
        try runner.run("evaluate", "--model", "resnet20", "--weights", "w", "--data", "cifar")
      }
      try FileManager.default.createDirectory(
        atPath: runner.path("cifar"), withIntermediateDirectories: true)
      let file = URL(fileURLWithPath: runner.path("cifar/test_batch.bin"))
      var records = Data(count: 3 * 3073)
      try records.dropLast(5).write(to: file)
      expect(65, ["test_batch.bin", "truncated", "3073"], try evaluate())
      records[3073] = 10
      try records.write(to: file)
      expect(
        65, ["test_batch.bin", "record 1", "offset 3073", "label 10", "0...9"], try evaluate())
      try Data().write(to: file)
      expect(65, ["test_batch.bin", "no records"], try evaluate())
      truncate(file.path, 10_001 * 3073)
      expect(65, ["test_batch.bin", "at most"], try evaluate())
    }

    @Test(arguments: [
      ("optimizer:\n  lr: fast\n", ["bad.yaml:2", "optimizer.lr", "a number", "fast"]),
      ("optimizer:\n  learning_rate: 1\n", ["bad.yaml:2", "learning_rate"]),
      ("model: 3\n", ["bad.yaml:1", "model"]),
      ("model: {name: resnet19}\n", ["model.name", "resnet19"]),
      ("a: [1\n", ["bad.yaml", "not YAML"]),
      ("clat:\n  k: 99\nmodel:\n  name: small-cnn\n", ["99"]),
    ])
    func recipes(_ text: String, _ parts: [String]) throws {
      try runner.write("bad.yaml", text)
      expect(65, parts, try runner.run("train", "bad.yaml", "--out", "run"))
      #expect(!FileManager.default.fileExists(atPath: runner.path("run")))
    }

    @Test func anotherArchitecture() throws {
      #expect(try runner.run("train", runner.recipe(epochs: 1), "--out", "run").code == 0)
      let other = try runner.run(
        "evaluate", "--model", "small-cnn:width=4", "--weights", "run", "--data", "digits")
      expect(
        65,
        [
          "misshapen", "conv1.weight is [8, 1, 3, 3], expected [4, 1, 3, 3]",
          "linear.weight",
        ], other)
      let deeper = try runner.run(
        "evaluate", "--model", "wrn-10-1", "--weights", "run", "--data", "digits")
      expect(65, ["missing", "unexpected", "block1.layer.0.conv1.weight", "bn1.bias"], deeper)
      _ = try runner.recipe("other.yaml", epochs: 3)
      let resumed = try runner.run("train", "other.yaml", "--resume", "run")
      expect(65, ["run/recipe.yaml", "differs"], resumed)
      expect(73, ["holds a run already"], try runner.run("train", "other.yaml", "--out", "run"))
    }

    @Test func graphText() throws {
      try runner.write(
        "bad.ir", "graph @g {\n  input %0 \"x\" data : f32[1,4,4,3]\n  %1 = rleu %0\n}\n")
      expect(
        65, ["bad.ir: line 3", "rleu"], try runner.run("inspect", "graph", "--model", "bad.ir"))
      try runner.write("cut.ir", "graph @g {\n  input %0 \"x\" data : f32[1,")
      expect(65, ["cut.ir: line 2"], try runner.run("inspect", "program", "--model", "cut.ir"))
    }

    @Test func fusedRegions() throws {
      try runner.write(
        "silu.ir",
        """
        graph @g {
          input %0 "x" data : f32[2,4,4,3]
          %1 = silu %0 : f32[2,4,4,3]
          output "y" %1
        }
        """)
      let program = try runner.run("inspect", "program", "--model", "silu.ir")
      #expect(program.code == 0 && program.output.contains("fused[silu] %0"))
      let code = try runner.run("inspect", "llvm", "--model", "silu.ir")
      #expect(code.code == 66 || code.output.contains("define void @fused("))
    }

    @Test func lastBatch() throws {
      let recipe = try runner.recipe(epochs: 1)
      let refused = try runner.run("train", recipe, "--set", "last_batch=error", "--out", "a")
      expect(64, ["300 images", "44", "64"], refused)
      let kept = try runner.run("train", recipe, "--out", "b", "--json")
      let whole = try kept.object()
      #expect(whole["train_images"] as? Int == 300)
      for batch in ["7", "120", "360"] {
        let result = try runner.run(
          "evaluate", "--model", "small-cnn:width=8", "--weights", "b", "--data", "digits",
          "--batch", batch, "--attack", "pgd", "--steps", "2", "--json")
        #expect(try result.object()["count"] as? Int == 360, "\(result.error)")
      }
    }
  }
}
