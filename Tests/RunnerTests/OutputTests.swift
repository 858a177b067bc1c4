import Foundation
import Storage
import Testing

extension RunnerTests {
  /// What scripts rely on: JSON on standard output alone, and its fields.
  @Suite struct OutputTests {
    let runner: Runner

    init() throws { runner = try Runner() }

    private func fields(_ value: Any?, _ names: [String]) throws {
      let object = try #require(value as? [String: Any])
      for name in names { #expect(object[name] != nil, "no \(name)") }
    }

    @Test func models() throws {
      let list = try #require(try runner.run("models", "--json").json() as? [[String: Any]])
      #expect(list.count > 10)
      for model in list {
        try fields(
          model,
          [
            "name", "image", "classes", "parameters", "flops", "layers", "critical", "settings",
          ])
      }
      let resnet = try #require(list.first { $0["name"] as? String == "resnet18" })
      #expect(resnet["parameters"] as? Int == 11_173_962)
      let one = try #require(
        try runner.run("models", "rawrn-70-16:width=8,depths=1/2/1", "--json").json()
          as? [[String: Any]])
      #expect(one.count == 1 && one[0]["layers"] as? Int == 9)
      let rows = try #require(
        try runner.run("models", "--clat", "--json").json() as? [[String: Any]])
      #expect(rows.contains { $0["trained"] as? Int == 823_296 })
      #expect(try runner.run("models", "--clat").output.contains("823296   3.5%   823K   3.4%"))
    }

    /// Without --image, a network's own.
    @Test func publishedImages() throws {
      let arguments = ["inspect", "graph", "--model", "mnist-trades", "--batch", "2"]
      #expect(try runner.start(arguments).wait().output.contains("f32[2,28,28,1]"))
      let grey = try runner.start(arguments + ["--image", "20x24x1"]).wait()
      #expect(grey.output.contains("f32[2,20,24,1]"))
    }

    @Test func measurements() throws {
      let size = ["--model", "small-cnn:width=8", "--image", "8x8x1", "--batch", "4"]
      let rows = try runner.start(["benchmark", "--runs", "1", "--json"] + size).wait().json()
      let list = try #require(rows as? [[String: Any]])
      #expect(list.count == 12)
      for row in list {
        try fields(
          row,
          [
            "model", "batch", "work", "engine", "median_seconds", "best_seconds", "peak_bytes",
            "compile_seconds", "threads", "steps", "speedup", "flops", "limit_flops_per_second",
          ])
      }
      let programs = [
        "forward", "attack", "train", "clat", "criticality", "clat-attack", "clat-update",
      ]
      for program in programs {
        let result = try runner.start(["profile", "--program", program, "--json"] + size).wait()
        try fields(
          try result.json(),
          [
            "seconds", "instructions", "kernels", "threads", "limit_flops_per_second",
            "limit_bytes_per_second", "least_seconds",
          ])
        for view in ["graph", "program", "memory", "dot"] {
          let shown = try runner.start(["inspect", view, "--program", program] + size).wait()
          #expect(shown.code == 0 && shown.error.isEmpty && !shown.output.isEmpty)
        }
      }
      try fields(try runner.run("doctor", "--json").json(), ["ok", "checks"])
    }

    @Test func critical() throws {
      func header(_ arguments: String...) throws -> String {
        let size = ["--model", "wrn-10-1", "--image", "8x8x1", "--batch", "2"]
        let graph = ["inspect", "graph", "--program", "clat"] + size + arguments
        return try runner.start(graph).wait().output.split(separator: "\n").first.map(String.init)
          ?? ""
      }
      #expect(
        try header("--critical", "conv1,2").contains("layers = \"0 conv1, 2 block1.layer.0.conv2\"")
      )
      #expect(
        try header("--unit", "block", "--include-linear", "--critical", "fc,block3.layer.0")
          .contains("layers = \"3 block3.layer.0, 4 fc\""))
      #expect(
        try header("--candidates", "fc,block2.layer.0.convShortcut")
          .contains("layers = \"1 fc\""))
      #expect(
        try header("--include-shortcuts", "--critical", "8").contains(
          "8 block3.layer.0.convShortcut"))
    }

    @Test func benchmarkPlot() throws {
      let result = try runner.run(
        "benchmark", "--model", "small-cnn:width=8", "--image", "8x8x1", "--batch", "4", "--runs",
        "1", "--work", "forward,pgd", "--steps", "2", "--plot", "bars.svg")
      #expect(result.code == 0, "\(result.error)")
      let plot = String(decoding: try runner.bytes("bars.svg"), as: UTF8.self)
      // The background, and a bar for each engine and work.
      #expect(plot.hasPrefix("<svg") && plot.split(separator: "<rect").count == 6)
    }

    /// One line of JSON for every request, in order.
    @Test func benchmarkServer() throws {
      let requests = ["pgd", "limits", "pgd", "forward"].map { "{\"run\": \"\($0)\"}\n" }
      try runner.write("requests", requests.joined())
      for engine in ["compiled", "eager"] {
        let result = try runner.start(
          [
            "benchmark", "--serve", "--engine", engine, "--work", "forward,pgd", "--model",
            "small-cnn:width=8", "--image", "8x8x1", "--batch", "4", "--steps", "2",
          ], shell: "exec <requests"
        ).wait()
        #expect(result.code == 0 && result.error.isEmpty, "\(result.error)")
        let answers = try result.output.split(separator: "\n").map { line in
          try JSONSerialization.jsonObject(with: Data(line.utf8))
        }
        #expect(answers.count == 4)
        for (place, answer) in answers.enumerated() {
          try fields(
            answer,
            place == 1
              ? ["flops_per_second", "bytes_per_second"] : ["seconds", "peak_bytes", "flops"])
        }
      }
    }

    @Test func trainedModel() throws {
      let trained = try runner.run("train", runner.recipe(), "--out", "run", "--json")
      try fields(try trained.json(), ["out", "weights", "evaluation", "selections", "recipe"])
      let base = [
        "--model", "small-cnn:width=8", "--weights", "run/weights.safetensors", "--data", "digits",
        "--json",
      ]
      try evaluation(base)
      try prediction(base)
      let ranked = try runner.start(["criticality", "--top", "2"] + base).wait().object()
      let layers = try #require(ranked["layers"] as? [[String: Any]])
      #expect(layers.map { $0["index"] as? Int } == [0, 1, 2])
      for layer in layers { try fields(layer, ["index", "name", "weakness", "criticality"]) }
      #expect((ranked["selected"] as? [Int])?.count == 2)
      let more = ["criticality", "--include-linear", "--tap", "convolution"]
      let linear = try runner.start(more + base).wait().object()
      #expect(
        (linear["layers"] as? [[String: Any]])?.map { $0["name"] as? String }
          == ["conv1", "conv2", "conv3", "linear"])
      #expect(linear["include_linear"] as? Bool == true)
    }

    private func evaluation(_ base: [String]) throws {
      let attack = [
        "--attack", "pgd", "--eps", "0.2", "--step", "0.05", "--steps", "4", "--restarts", "2",
        "--seed", "3", "--save-adversarial", "adversarial.safetensors",
      ]
      let result = try runner.start(["evaluate", "--count", "90"] + base + attack).wait()
      let object = try result.object()
      try fields(
        object, ["model", "clean_correct", "clean_accuracy", "robust_correct", "robust_accuracy"])
      try fields(object["attack"], ["name", "norm", "eps", "step", "steps", "restarts", "seed"])
      #expect(object["count"] as? Int == 90)
      let again = try runner.start(["evaluate", "--count", "90"] + base + attack).wait().object()
      #expect(again["robust_correct"] as? Int == object["robust_correct"] as? Int)
      let file = try Safetensors.read(runner.path("adversarial.safetensors"))
      let clean = try #require(file["clean"]).floats()
      let adversarial = try #require(file["adversarial"]).floats()
      #expect(file["adversarial"]?.shape == [90, 1, 8, 8])
      #expect(zip(clean, adversarial).map { abs($0 - $1) }.max() ?? 1 <= 0.2 + 1e-6)
      #expect(adversarial.allSatisfy { (0...1).contains($0) })
      let logits = try #require(file["logits"]).floats()
      let labels = try #require(file["labels"]).integers()
      let right = labels.indices.filter { index in
        let row = Array(logits[index * 10..<index * 10 + 10])
        return row.firstIndex(of: row.max() ?? 0) == Int(labels[index])
      }
      #expect(right.count == object["robust_correct"] as? Int)
    }

    private func prediction(_ base: [String]) throws {
      let result = try runner.start(
        ["predict", "--count", "70", "--batch", "32", "--taps", "all", "--out", "p.safetensors"]
          + base
      ).wait()
      #expect(result.code == 0, "\(result.error)")
      let file = try Safetensors.read(runner.path("p.safetensors"))
      #expect(file["logits"]?.shape == [70, 10])
      #expect(file["labels"]?.type == .i64)
      #expect(file["features.conv1"]?.shape == [70, 8, 8, 8])
      #expect(file["features.conv3"]?.shape == [70, 32, 2, 2])
    }

    @Test func quickstart() throws {
      let result = try runner.run("quickstart", "--epochs", "4", "--out", "q", "--json")
      let runs = try #require(try result.object()["runs"] as? [[String: Any]])
      #expect(runs.map { $0["name"] as? String } == ["standard", "pgd-at", "clat"])
      for run in runs { try fields(run, ["clean_accuracy", "robust_accuracy", "count"]) }
      let plot = String(decoding: try runner.bytes("q/curves.svg"), as: UTF8.self)
      #expect(plot.hasPrefix("<svg") && plot.contains("<polyline"))
    }

    @Test func help() throws {
      for command in [
        "quickstart", "train", "evaluate", "predict", "criticality", "inspect", "profile", "models",
        "benchmark", "convert", "doctor", "compile", "run", "cache",
      ] {
        let result = try runner.run(command, "--help")
        #expect(result.code == 0 && result.output.contains("EXAMPLES"), "\(command)")
      }
    }
  }
}
