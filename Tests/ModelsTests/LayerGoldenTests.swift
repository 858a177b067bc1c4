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
    ],
    "separable": [
      Conv2d(channels: 12, kernel: 3, padding: 1), BatchNorm2d(), HardSwish(),
      Conv2d(channels: 12, kernel: 3, stride: 2, padding: 1, groups: 12), BatchNorm2d(),
      Clamp.relu6, Conv2d(channels: 18, kernel: 3, padding: 1, groups: 3, bias: true),
      HardSigmoid(), AdaptiveAvgPool2d(2), Flatten(), Linear(features: 5),
    ],
    "pooled": [
      Conv2d(channels: 8, kernel: 3, padding: 1, bias: true), Clamp(low: -0.5, high: 0.25),
      MaxPool2d(kernel: 3, stride: 2, padding: 1),
      Conv2d(channels: 8, kernel: 3, padding: 1, bias: true),
      MaxPool2d(kernel: 3, stride: 2, padding: 1, ceilMode: true),
      AvgPool2d(kernel: 3, stride: 1, padding: 1), MaxPool2d(kernel: 2, ceilMode: true),
      Flatten(), Linear(features: 5, bias: false),
    ],
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
