import IR
import Testing

@testable import Models

/// Networks of one kind of layer each, run by the interpreter, against PyTorch
/// (Tests/Golden/layers.py).
@Suite struct LayerGoldenTests {
  private static let networks: [String: [any Module]] = [
    "squeeze_excite": [
      Conv2d("conv_0", channels: 16, kernel: 3, stride: 2, endPadding: 1),
      Residual {
        BatchNorm2d("batchnorm_1")
        SiLU()
        Conv2d("conv_1", channels: 16, kernel: 3, padding: 1)
        SqueezeExcite("se", channels: 4, activation: SiLU())
      },
      GlobalAvgPool(), Linear("logits", features: 5),
    ]
  ]

  @Test(arguments: networks.keys.sorted()) func logits(name: String) throws {
    let golden = try GoldenFile("layers")
    let modules = try #require(Self.networks[name])
    let shape = (height: golden.size, width: golden.size, channels: 3)
    let model = try Model(named: name, imageShape: shape, classes: 5) { modules }
    #expect(
      try model.parameters.filter(\.isTrainable).map(\.name) == golden.names("\(name).parameters"))
    let (graph, forward) = try emitted(model, .eval, batch: golden.batch)
    let values = try graph.run(
      golden.tensors(of: model).merging(["images": golden.images(golden.batch)]) { $1 })
    expectClose(values[forward.logits], golden.values(name))
  }
}
