import IR
import Testing

@testable import Models

/// What counts as a layer for CLAT: names, numbers, tensors and features of the units.
@Suite struct UnitTests {
  private func names(_ model: String, _ set: LayerSet) throws -> [String] {
    let units = try makeModel(model).counting(set).units
    #expect(units.map(\.index) == Array(units.indices))
    return units.map(\.name)
  }

  @Test func shortcutsAndLinearLayersComeInForwardOrder() throws {
    let shortcuts = try names("resnet18:width=4", LayerSet(includesShortcuts: true))
    #expect(shortcuts.count == 20)
    #expect(
      shortcuts[5...8] == [
        "layer2.0.conv1", "layer2.0.conv2", "layer2.0.shortcut.0", "layer2.1.conv1",
      ])
    #expect(
      try names("small-cnn", LayerSet(includesLinear: true)) == [
        "conv1", "conv2", "conv3", "linear",
      ])
    let all = try names("wrn-10-1", LayerSet(includesShortcuts: true, includesLinear: true))
    #expect(all.count == 7 + 2 + 1 && all.last == "fc")
  }

  @Test func blocksHoldAllTheirLayersAndNorms() throws {
    let model = try makeModel("resnet18:width=4").counting(LayerSet(unit: .block))
    #expect(model.units.map(\.name).prefix(3) == ["conv1", "layer1.0", "layer1.1"])
    #expect(model.units.count == 9)
    #expect(
      model.units[3].layers.map(\.name)
        == ["layer2.0.conv1", "layer2.0.conv2", "layer2.0.shortcut.0"])
    #expect(
      model.units[3].norms.map(\.gamma)
        == ["bn1", "bn2", "shortcut.1"].map { "layer2.0.\($0).weight" })
    let wide = try makeModel("wrn-16-1").counting(LayerSet(unit: .block, includesLinear: true))
    #expect(
      wide.units[2].norms.map(\.mean) == ["bn1", "bn2"].map { "block1.layer.1.\($0).running_mean" })
    #expect(wide.units.last?.name == "fc")
    #expect(try names("densenet121:growth=4", LayerSet(unit: .block)).count == 1 + 58 + 3)
    #expect(try names("vgg16:width=4", LayerSet(unit: .block)).count == 13)
  }

  @Test func namesStandForThemselves() throws {
    let list = ["linear", "layer2.0", "conv1", "layer3.0.shortcut.0"]
    #expect(
      try names("resnet18:width=4", LayerSet(names: list))
        == ["conv1", "layer2.0", "layer3.0.shortcut.0", "linear"])
    func problem(_ names: [String]) -> String {
      message { _ = try makeModel("resnet18:width=4").counting(LayerSet(names: names)) }
    }
    #expect(
      problem(["layer2.0.conv3"])
        == "'layer2.0.conv3' is no layer or block of resnet18:width=4; "
        + "did you mean 'layer2.0.conv1'?")
    #expect(problem(["layer2.9"]).hasSuffix("did you mean 'layer2.0'?"))
    #expect(problem(["nothing like it"]).contains("there are: conv1, layer1.0.conv1"))
    #expect(
      problem(["layer2.0", "layer2.0.conv2"])
        == "'layer2.0' and 'layer2.0.conv2' share the layer layer2.0.conv2")
    #expect(problem(["conv1", "conv1"]).contains("share the layer conv1"))
  }

  @Test func unnamedAndNestedBlocks() throws {
    let model = try Model(named: "nested", imageShape: cifar, classes: 10) {
      Block("outer") {
        Conv2d("a", channels: 4, kernel: 1)
        Block {
          Conv2d("b", channels: 4, kernel: 1)
          Conv2d("c", channels: 4, kernel: 1)
        }
      }
      GlobalAvgPool()
      Linear("linear", features: 10)
    }
    let units = try model.counting(LayerSet(unit: .block)).units
    #expect(units.map(\.name) == ["outer", "outer.b...outer.c"])
    #expect(units.map { $0.layers.map(\.name) } == [["outer.a"], ["outer.b", "outer.c"]])
  }

  @Test func publishedCountsAreForThePapersLayers() throws {
    let model = try makeModel("densenet121:growth=4")
    #expect(model.defaultCriticalCount == 5)
    #expect(try model.counting(LayerSet(includesLinear: true)).defaultCriticalCount == 7)
    #expect(try model.counting(LayerSet(unit: .block)).defaultCriticalCount == 4)
    let linear = message {
      let flat = try Model(named: "flat", imageShape: cifar, classes: 10) {
        Flatten()
        Linear("fc", features: 10)
      }
      #expect(try flat.counting(LayerSet(includesLinear: true)).units.map(\.name) == ["fc"])
      _ = try flat.counting(LayerSet())
    }
    #expect(linear == "flat has no layers of this kind")
  }

  /// More units leave the features of the others as they were.
  @Test(arguments: ["resnet18:width=4", "wrn-16-2", "preact-resnet18:width=4"])
  func featuresOfShortcuts(name: String) throws {
    let model = try makeModel(name)
    let set = LayerSet(includesShortcuts: true, includesLinear: true)
    let (_, main) = try emitted(model, .eval)
    let (graph, all) = try emitted(try model.counting(set), .eval)
    let units = try model.counting(set).units
    let kept = zip(units, all.features).filter { $0.0.layers[0].isMainPath }.map { $0.1 }
    #expect(kept.map(\.activation) == main.features.map(\.activation))
    #expect(kept.map(\.block) == main.features.map(\.block))
    for (unit, feature) in zip(units, all.features) where unit.layers[0].kind == .shortcut {
      #expect(graph.maker(feature.convolution) == "conv2d")
      let last = unit.norms.isEmpty ? "conv2d" : "batch_norm"
      #expect(graph.maker(feature.activation) == last)
      #expect(all.features[unit.index - 1].block == feature.block)
    }
    let linear = try #require(all.features.last)
    #expect(linear.activation == all.logits && linear.convolution == all.logits)
    #expect(linear.block == all.logits)
  }

  @Test func featuresOfBlocks() throws {
    let set = LayerSet(unit: .block)
    let (post, residual) = try emitted(try makeModel("resnet18:width=4").counting(set), .eval)
    for feature in residual.features.dropFirst() {
      #expect(post.maker(feature.convolution) == "conv2d")
      #expect(post.maker(feature.activation) == "relu" && feature.block == feature.activation)
    }
    let (pre, wide) = try emitted(try makeModel("wrn-16-2").counting(set), .eval)
    for feature in wide.features.dropFirst() {
      #expect(pre.maker(feature.activation) == "relu" && pre.maker(feature.block) == "add")
    }
    let model = try makeModel("densenet121:growth=4").counting(set)
    let (graph, dense) = try emitted(model, .eval)
    let transition = try #require(model.units.firstIndex { $0.name == "trans1" })
    #expect(graph.maker(dense.features[transition].activation) == "conv2d")
    #expect(graph.maker(dense.features[transition].block) == "avg_pool")
    #expect(graph.maker(dense.features[transition - 1].block) == "concat")
  }
}
