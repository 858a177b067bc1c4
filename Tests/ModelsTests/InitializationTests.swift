import Testing

@testable import Models

@Suite struct InitializationTests {
  private func moments(_ values: [Float]) -> (mean: Double, deviation: Double) {
    let mean = values.reduce(0) { $0 + Double($1) } / Double(values.count)
    let square = values.reduce(0) { $0 + (Double($1) - mean) * (Double($1) - mean) }
    return (mean, (square / Double(values.count)).squareRoot())
  }

  @Test func isDeterministicAndComplete() throws {
    let model = try makeModel("wrn-16-1")
    let values = model.initialValues(seed: 7)
    #expect(values == model.initialValues(seed: 7))
    #expect(values["conv1.weight"] != model.initialValues(seed: 8)["conv1.weight"])
    #expect(values.count == model.parameters.count)
    for parameter in model.parameters {
      let tensor = try #require(values[parameter.name])
      #expect(tensor.count == parameter.count && tensor.allSatisfy(\.isFinite))
      switch parameter.kind {
      case .gamma, .runningVar: #expect(Set(tensor) == [1])
      case .beta, .runningMean: #expect(Set(tensor) == [0])
      case .weight, .bias: break
      }
    }
  }

  /// Uniform within 1 / sqrt(fan in): every value inside, deviation bound / sqrt 3.
  @Test func torchDefault() throws {
    let values = try makeModel("resnet18:width=16").initialValues(seed: 1)
    let filters = try #require(values["layer4.1.conv2.weight"])
    let bound = 1 / (128 * 9.0).squareRoot()
    #expect(filters.allSatisfy { Double(abs($0)) <= bound })
    let (mean, deviation) = moments(filters)
    #expect(abs(mean) < 0.01 * bound)
    #expect(abs(deviation - bound / 3.0.squareRoot()) < 0.005 * bound)
    let bias = try #require(values["linear.bias"])
    #expect(bias.contains { $0 != 0 } && bias.allSatisfy { abs($0) <= 1 / Float(128).squareRoot() })
  }

  @Test(arguments: [
    ("resnet20", "layer3.1.conv1.weight", 64.0 * 9),
    ("resnet20", "layer3.0.conv1.weight", 32.0 * 9),
    ("wrn-16-4", "block3.layer.0.conv1.weight", 256.0 * 9),
    ("wrn-16-4", "block3.layer.0.convShortcut.weight", 256.0),
  ])
  func normal(name: String, tensor: String, fan: Double) throws {
    let (mean, deviation) = moments(
      try #require(makeModel(name).initialValues(seed: 3)[tensor]))
    let expected = (2 / fan).squareRoot()
    #expect(abs(mean) < 0.03 * expected)
    #expect(abs(deviation - expected) < 0.03 * expected)
  }

  @Test func wideResNetBiasIsZero() throws {
    #expect(
      try makeModel("wrn-16-1").initialValues(seed: 3)["fc.bias"]
        == [Float](repeating: 0, count: 10))
  }
}
