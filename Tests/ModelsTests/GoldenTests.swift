import IR
import TestSupport
import Testing

@testable import Models

/// The emitted graphs, run by the interpreter, against PyTorch.
@Suite struct GoldenTests {
  @Test(arguments: Golden.networks) func names(name: String) throws {
    let golden = try Golden("network-\(name)")
    let model = golden.model
    #expect(try model.layers.map(\.name) == golden.file.names("layers"))
    #expect(
      try model.parameters.filter(\.isTrainable).map(\.name) == golden.file.names("parameters"))
  }

  /// Every family of the registry has a golden; wide networks of fixed size are sizes of others.
  @Test func everyNetworkHasAGolden() throws {
    let covered = try Set(Golden.all.map { try Golden("network-\($0)").model.spec.name })
    let sizes = ["wrn-28-10", "wrn-34-10", "wrn-70-16", "dm-wrn-28-10"]
    #expect(Set(Model.names).subtracting(covered) == Set(sizes))
  }

  /// Logits and norms of all features of one image, in evaluation mode.
  @Test(arguments: Golden.networks) func evaluation(name: String) throws {
    let golden = try Golden("network-\(name)")
    let (graph, forward) = try emitted(golden.model, .eval, batch: 1)
    let values = try graph.run(golden, golden.file.images(1))
    let expected = try golden.floats("eval.logits").prefix(golden.model.classes)
    expectClose(values[forward.logits], Array(expected))
    let norms = forward.features.map { feature in
      (values[feature.activation] ?? []).reduce(0) { $0 + $1 * $1 }.squareRoot()
    }
    expectClose(norms, try golden.floats("eval.features"))
  }

  @Test(arguments: ["small-cnn", "wrn-10-2", "resnet20-B"])
  func trainingLogitsAndStatistics(name: String) throws {
    let golden = try Golden("network-\(name)")
    let model = golden.model
    let builder = GraphBuilder(name: name)
    let (height, width, channels) = model.imageShape
    let emitter = ForwardEmitter(builder: builder, model: model, mode: .train)
    let forward = try emitter(
      builder.input("images", .f32(golden.batch, height, width, channels), .data))
    emitter.outputBufferUpdates()
    let values = try builder.graph.run(golden, golden.file.images(golden.batch))
    expectClose(values[forward.logits], try golden.floats("train.logits"))
    let stored = builder.graph.outputs.filter { golden.file.names.contains("train.\($0.name)") }
    #expect(stored.count == 4)
    for output in stored {
      expectClose(values[output.value], try golden.floats("train.\(output.name)"))
    }
  }

  /// Distances between the features of the first clean and adversarial image.
  @Test(arguments: ["small-cnn", "resnet18-8", "wrn-16-1"])
  func features(name: String) throws {
    let golden = try Golden("attack-\(name)")
    let (graph, forward) = try emitted(golden.model, .eval, batch: 1)
    let clean = golden.file.images(1)
    let adversarial = Array(try golden.images("pgd.adversarial.10").prefix(clean.count))
    let runs = try [clean, adversarial].map { try graph.run(golden, $0) }
    let features = forward.features.map(\.activation)
    let distances = features.map { feature in
      zip(runs[0][feature] ?? [], runs[1][feature] ?? [])
        .reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }.squareRoot()
    }
    let expected = try golden.floats("criticality.distance")
    expectClose(distances, features.indices.map { expected[$0 * golden.batch] })
    #expect(
      features.map { Double(graph.type($0).count) } == (try golden.floats("criticality.sizes")))
  }

  @Test func normalization() throws {
    let (mean, std) = ([0.5, 0.25, 0.125], [0.5, 0.25, 2])
    let model = try Model(
      ModelSpec("small-cnn"), imageShape: (2, 2, 3), classes: 2, mean: mean, std: std)
    let (graph, _) = try emitted(model, .eval, batch: 1)
    let pixels = [0, 0.25, 0.5, 1, 1, 1, 0.5, 0.5, 0.5, 0.25, 0, 0.125]
    let inputs = graph.randomInputs().merging(["images": pixels]) { $1 }
    let values = try graph.run(inputs)
    let affine = try #require(graph.nodes.first { $0.op == "affine" })
    let expected = pixels.indices.map { (pixels[$0] - mean[$0 % 3]) / std[$0 % 3] }
    expectClose(values[affine.results[0]], expected)
    let convolution = try #require(graph.nodes.first { $0.op == "conv2d" })
    #expect(convolution.operands[0] == affine.results[0])
  }
}

/// Equal but for rounding to float32, relative to the largest magnitude.
func expectClose(
  _ values: [Double]?, _ expected: [Double], _ location: SourceLocation = #_sourceLocation
) {
  let values = values ?? []
  #expect(values.count == expected.count && !expected.isEmpty, sourceLocation: location)
  let scale = expected.map(abs).max() ?? 0
  let error = zip(values, expected).map { abs($0 - $1) }.max() ?? .infinity
  #expect(error <= 1e-6 * scale, sourceLocation: location)
}

extension Graph {
  func run(_ data: [String: [Double]]) throws -> [ValueID: [Double]] {
    try Interpreter(self).evaluate(inputs: data)
  }

  /// All values for the golden's weights.
  fileprivate func run(_ golden: Golden, _ images: [Double]) throws -> [ValueID: [Double]] {
    try run(golden.file.tensors(of: golden.model).merging(["images": images]) { $1 })
  }
}
