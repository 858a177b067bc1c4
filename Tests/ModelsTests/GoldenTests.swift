import IR
import Testing

@testable import Models

/// The emitted graphs, run by the interpreter, against PyTorch.
@Suite struct GoldenTests {
  private static let networks = [
    "small-cnn", "resnet18-8", "resnet20-A", "resnet20-B", "resnet32-A", "resnet44-A",
    "resnet56-A", "vgg16-8", "vgg19-8", "wrn-10-2", "wrn-16-1", "resnet50-4", "densenet121-4",
  ]

  @Test(arguments: networks)
  func names(name: String) throws {
    let golden = try GoldenFile("network-\(name)")
    let model = try golden.model()
    #expect(try model.layers.map(\.name) == golden.names("layers"))
    #expect(
      try model.parameters.filter(\.isTrainable).map(\.name) == golden.names("parameters"))
  }

  /// One image is enough in evaluation mode; ResNet-32 stands for its deeper relatives.
  @Test(arguments: networks.filter { !["resnet20-A", "resnet44-A", "resnet56-A"].contains($0) })
  func evaluationLogits(name: String) throws {
    let golden = try GoldenFile("network-\(name)")
    let model = try golden.model()
    let (graph, forward) = try emitted(model, .eval, batch: 1)
    let values = try graph.run(
      golden.tensors(of: model).merging(["images": golden.images(1)]) { first, _ in first })
    let expected = golden.values("eval.logits").prefix(model.classes)
    expectClose(values[forward.logits], Array(expected))
  }

  @Test(arguments: ["small-cnn", "wrn-10-2", "resnet20-B"])
  func trainingLogitsAndStatistics(name: String) throws {
    let golden = try GoldenFile("network-\(name)")
    let model = try golden.model()
    let builder = GraphBuilder(name: name)
    let shape = TensorType.f32(golden.batch, golden.size, golden.size, 3)
    let emitter = ForwardEmitter(builder: builder, model: model, mode: .train)
    let forward = try emitter(builder.input("images", shape, .data))
    emitter.outputBufferUpdates()
    let images = golden.images(golden.batch)
    let values = try builder.graph.run(
      golden.tensors(of: model).merging(["images": images]) { first, _ in first })
    expectClose(values[forward.logits], golden.values("train.logits"))
    var compared = 0
    for output in builder.graph.outputs where !golden.shape("train.\(output.name)").isEmpty {
      expectClose(values[output.value], golden.values("train.\(output.name)"))
      compared += 1
    }
    #expect(compared == 4)
  }

  /// Distances between the features of the first clean and adversarial image.
  @Test(arguments: ["small-cnn", "resnet18-8", "wrn-16-1"])
  func features(name: String) throws {
    let golden = try GoldenFile("attack-\(name)")
    let model = try golden.model()
    let (graph, forward) = try emitted(model, .eval, batch: 1)
    let tensors = golden.tensors(of: model)
    let adversarial = Array(
      golden.values("pgd.adversarial.10").prefix(3 * golden.size * golden.size))
    let runs = try [
      golden.images(1), GoldenFile.channelsLast(adversarial, size: golden.size),
    ].map { images in try graph.run(tensors.merging(["images": images]) { first, _ in first }) }
    let features = forward.features.map(\.activation)
    let distances = features.map { feature in
      zip(runs[0][feature] ?? [], runs[1][feature] ?? [])
        .reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }.squareRoot()
    }
    let expected = golden.values("criticality.distance")
    expectClose(
      distances, features.indices.map { expected[$0 * golden.shape("criticality.distance")[1]] })
    #expect(
      features.map { Double(graph.type($0).count) } == golden.values("criticality.sizes"))
  }

  @Test func normalization() throws {
    let (mean, std) = ([0.5, 0.25, 0.125], [0.5, 0.25, 2])
    let model = try Model(
      ModelSpec("small-cnn"), imageShape: (2, 2, 3), classes: 2, mean: mean, std: std)
    let (graph, _) = try emitted(model, .eval, batch: 1)
    let pixels = [0, 0.25, 0.5, 1, 1, 1, 0.5, 0.5, 0.5, 0.25, 0, 0.125]
    let golden = try GoldenFile("network-small-cnn")
    let values = try graph.run(
      golden.tensors(of: model).merging(["images": pixels]) { first, _ in first })
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
}
