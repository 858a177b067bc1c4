import Foundation
import Storage
import Testing

extension RunnerTests {
  /// `--model` with a file.
  @Suite struct ModelFileTests {
    let runner: Runner

    init() throws { runner = try Runner() }

    private static let digits = ["--image", "8x8x1", "--classes", "10"]

    /// The text of a network for the digits in `name`.
    private func write(_ model: String, to name: String = "net.ir") throws {
      let text = try runner.start(["inspect", "network", "--model", model] + Self.digits).wait()
      #expect(text.code == 0, "\(text.error)")
      try runner.write(name, text.output)
    }

    private func tensors(_ run: String) throws -> [StoredTensor] {
      try Safetensors.read(runner.path(run + "/weights.safetensors")).tensors
    }

    private func train(_ run: String, _ model: String, more: [String] = []) throws {
      let recipe = try runner.recipe(epochs: 1, clat: 1)
      let arguments = ["train", recipe, "--out", run, "--set", "model.name=\(model)"] + more
      let result = try runner.start(arguments).wait()
      #expect(result.code == 0, "\(result.error)")
    }

    private func evaluate(_ arguments: String...) throws -> [String: Any] {
      let attack = ["--attack", "pgd", "--eps", "0.15", "--step", "0.05", "--steps", "3"]
      let base = ["evaluate", "--data", "digits", "--count", "100", "--json"]
      let result = try runner.start(base + attack + arguments).wait()
      #expect(result.code == 0, "\(result.error)")
      return try result.object()
    }

    /// A network trains from its text to the same bits as from its description, batch norms in
    /// both modes, CLAT's selection and seeds included; and its checkpoint needs neither.
    @Test(arguments: ["small-cnn:width=8", "wrn-10-1"])
    func trainsToTheSameBits(model: String) throws {
      try write(model)
      try train("from-name", model)
      try train("from-file", "net.ir")
      #expect(try tensors("from-file") == tensors("from-name"))
      let named = try evaluate("--model", model, "--weights", "from-name")
      try FileManager.default.removeItem(atPath: runner.path("net.ir"))
      for run in ["from-file", "from-name", "from-file/weights.safetensors"] {
        let bare = try evaluate("--weights", run)
        #expect(bare["clean_correct"] as? Int == named["clean_correct"] as? Int)
        #expect(bare["robust_correct"] as? Int == named["robust_correct"] as? Int)
      }
    }

    /// A checkpoint's network begins with the run's normalisation.
    @Test func checkpointsKeepNormalization() throws {
      let normalization = ["--set", "model.mean=[0.3]", "--set", "model.std=[0.2]"]
      try train("run", "small-cnn:width=8", more: normalization)
      let named = try evaluate(
        "--model", "small-cnn:width=8", "--mean", "0.3", "--std", "0.2", "--weights", "run")
      let bare = try evaluate("--weights", "run")
      #expect(bare["clean_correct"] as? Int == named["clean_correct"] as? Int)
    }

    @Test func resumesWithoutTheFile() throws {
      try write("small-cnn:width=8")
      try train("whole", "net.ir")
      let recipe = try runner.recipe(epochs: 1, clat: 1)
      let running = try runner.start([
        "train", recipe, "--out", "run", "--set", "model.name=net.ir",
      ])
      #expect(running.waits { !runner.checkpoints("run").isEmpty })
      running.signal(SIGKILL)
      _ = try running.wait()
      try runner.write("net.ir", "graph @other {}")
      let result = try runner.run("train", "--resume", "run")
      #expect(result.code == 0, "\(result.error)")
      #expect(try tensors("run") == tensors("whole"))
    }

    /// The other subcommands take the file too, and its extents are the defaults.
    @Test(arguments: [
      ["inspect", "memory", "--program", "clat", "--critical", "1", "--batch", "4"],
      ["profile", "--program", "attack", "--batch", "4", "--runs", "1"],
      ["benchmark", "--work", "clat", "--batch", "4", "--steps", "1", "--runs", "1"],
      ["criticality", "--weights", "run", "--data", "digits", "--batch", "16", "--steps", "2"],
      ["predict", "--weights", "run", "--data", "digits", "--taps", "all", "--out", "p"],
    ])
    func everySubcommand(arguments: [String]) throws {
      try write("small-cnn:width=8")
      if arguments.contains("run") { try train("run", "net.ir") }
      let result = try runner.start(arguments + ["--model", "net.ir"]).wait()
      #expect(result.code == 0 && !result.output.isEmpty, "\(result.error)")
    }

    private static let golden = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .deletingLastPathComponent().appendingPathComponent("Golden/onnx").path

    /// A network of PyTorch's trains by PGD-AT and CLAT from the file's weights, also after an
    /// interruption that finds the file gone.
    @Test func onnxTrainsAndResumes() throws {
      let file = Self.golden + "/digits-training.onnx"
      try FileManager.default.copyItem(atPath: file, toPath: runner.path("net.onnx"))
      try train("whole", "net.onnx")
      #expect(try tensors("whole").contains { $0.name == "1.running_var" })
      let recipe = try runner.recipe(epochs: 1, clat: 1)
      let running = try runner.start([
        "train", recipe, "--out", "run", "--set", "model.name=net.onnx",
      ])
      #expect(
        running.waits {
          FileManager.default.fileExists(atPath: runner.path("run/network.ir"))
        })
      running.signal(SIGKILL)
      _ = try running.wait()
      try FileManager.default.removeItem(atPath: runner.path("net.onnx"))
      let result = try runner.run("train", "--resume", "run")
      #expect(result.code == 0, "\(result.error)")
      #expect(try tensors("run") == tensors("whole"))
      #expect(try evaluate("--weights", "whole")["count"] as? Int == 100)
    }

    @Test func onnxBringsItsWeights() throws {
      let file = Self.golden + "/digits-training.onnx"
      let bare = try evaluate("--model", file)
      let text = try runner.run("inspect", "network", "--model", file)
      try runner.write("net.ir", text.output)
      #expect(text.output.contains("input %1 \"0.weight\" parameter : f32[8,1,3,3]"))
      #expect(bare["count"] as? Int == 100)
      let ranked = try runner.run(
        "criticality", "--model", file, "--data", "digits", "--batch", "16", "--json")
      let layers = try ranked.object()["layers"] as? [[String: Any]]
      #expect(layers?.map { $0["name"] as? String } == ["0", "3"])
    }

    /// Weights become an ONNX model that says the same, and weights again.
    @Test func converts() throws {
      try write("small-cnn:width=8")
      try train("run", "small-cnn:width=8")
      #expect(try runner.run("convert", "run", "bare.onnx").code == 0)
      let named = ["--model", "small-cnn:width=8"] + Self.digits
      let result = try runner.start(["convert", "run", "named.onnx"] + named).wait()
      #expect(result.output == "wrote named.onnx: 17 tensors, 6386 numbers\n", "\(result.error)")
      #expect(try runner.bytes("named.onnx") == runner.bytes("bare.onnx"))
      let correct = try ["bare.onnx", "run"].map { file in
        try evaluate(file == "run" ? "--weights" : "--model", file)["robust_correct"] as? Int
      }
      #expect(correct[0] == correct[1])
      #expect(try runner.run("convert", "bare.onnx", "back.safetensors").code == 0)
      #expect(
        try Safetensors.read(runner.path("back.safetensors")).tensors.map(\.name)
          == tensors("run").map(\.name))
      let normal = ["--mean", "0.3", "--std", "0.2"]
      let options = ["convert", "run", "normal.onnx"] + named + normal
      #expect(try runner.start(options).wait().code == 0)
      let moved = try evaluate("--model", "normal.onnx")["clean_correct"] as? Int
      let expected =
        try evaluate(
          "--weights", "run", "--model", "net.ir", "--mean", "0.3",
          "--std", "0.2")["clean_correct"] as? Int
      #expect(moved == expected)
      try FileManager.default.removeItem(atPath: runner.path("run"))
      #expect(try runner.run("convert", "back.safetensors", "b.onnx").code == 64)
      #expect(try runner.run("convert", "bare.onnx", "b.pth", "--mean", "1").code == 64)
    }

    @Test func misfits() throws {
      try write("small-cnn:width=8")
      try runner.write("text.onnx", "no model at all")
      try runner.write("none.ir", "graph @none { input %0 \"x\" data : f32[1,8,8,1] }")
      for (arguments, code, part) in [
        (["profile", "--model", "net.ir", "--classes", "9"], 64, "10 classes apart, not 9"),
        (["profile", "--model", "net.ir", "--image", "9x8x1"], 64, "8x8x1, not of 9x8x1"),
        (["profile", "--model", "none.ir"], 65, "none.ir: a network has one output"),
        (["profile", "--model", "absent.ir"], 66, "absent.ir: not found"),
        (["profile", "--model", "absent.onnx"], 66, "absent.onnx: not found"),
        (["profile", "--model", "text.onnx"], 65, "text.onnx: not an ONNX model"),
        (["evaluate", "--data", "digits"], 64, "expected --model, --weights, or both"),
        (["evaluate", "--data", "digits", "--model", "net.ir"], 64, "brings no weights"),
      ] as [([String], Int32, String)] {
        let result = try runner.start(arguments).wait()
        #expect(result.code == code && result.errorLines.count == 1, "\(result.error)")
        #expect(result.error.contains(part), "\(result.error)")
      }
    }
  }
}
