import IR
import Testing

@testable import Models

@Suite struct StructureTests {
  /// Published counts, where the source gives them (torchvision's list; RN18, RN50, DN121, WRN and
  /// VGG-19 of the CLAT paper); the others from PyTorch under Tests/Golden/networks.py.
  @Test(arguments: [
    ("small-cnn", 24_346), ("resnet18", 11_173_962), ("resnet18:width=8", 176_402),
    ("resnet34", 21_282_122), ("resnet50", 23_520_842), ("resnet101", 42_512_970),
    ("preact-resnet18", 11_171_146), ("preact-resnet18:final-norm=yes", 11_172_170),
    ("resnet20", 269_722), ("resnet20:shortcut=B", 272_474), ("resnet32", 464_154),
    ("resnet44", 658_586), ("resnet56", 853_018), ("wrn:depth=10,width=1", 77_850),
    ("wrn-16-1", 175_066), ("wrn-10-2", 303_706), ("wrn:depth=34,width=1", 466_714),
    ("wrn-28-10", 36_479_194), ("wrn-34-10", 46_160_474), ("wrn-70-16", 266_796_506),
    ("dm-wrn-28-10", 36_479_194), ("dm-wrn-70-16", 266_796_506), ("vgg16", 14_728_266),
    ("vgg19", 20_040_522), ("densenet121", 6_956_298),
  ])
  func parameterCounts(name: String, count: Int) throws {
    #expect(try makeModel(name).parameterCount == count)
  }

  @Test(arguments: [
    ("resnet18-imagenet", 11_689_512), ("resnet34-imagenet", 21_797_672),
    ("resnet50-imagenet", 25_557_032), ("resnet101-imagenet", 44_549_160),
    ("densenet121-imagenet", 7_978_856), ("mnist-madry", 3_274_634), ("mnist-trades", 312_202),
    ("rawrn-70-16", 267_240_802), ("vgg16-mlp", 33_646_666), ("vgg19-mlp", 38_958_922),
  ])
  func publishedInputs(name: String, count: Int) throws {
    let spec = try ModelSpec(name)
    #expect(try Model(spec).parameterCount == count)
    #expect(try Model(spec).classes == spec.input.classes)
  }

  @Test(arguments: [
    ("resnet18", 11_220_132), ("resnet50", 23_705_252), ("vgg16-mlp", 34_015_396),
    ("vgg19-mlp", 39_327_652),
  ])
  func hundredClasses(name: String, count: Int) throws {
    #expect(try makeModel(name, classes: 100).parameterCount == count)
  }

  @Test(arguments: [
    ("resnet18", 17, 20, 1), ("vgg19", 16, 16, 1), ("wrn-34-10", 31, 34, 2),
    ("resnet50", 49, 53, 3), ("wrn-70-16", 67, 70, 4), ("densenet121", 120, 120, 5),
    ("resnet20", 19, 19, 1), ("resnet101", 100, 104, 5), ("preact-resnet18", 17, 20, 1),
    ("resnet50-imagenet", 49, 53, 3), ("densenet121-imagenet", 120, 120, 5),
    ("dm-wrn-70-16", 67, 70, 4),
  ])
  func layerCounts(name: String, main: Int, convolutions: Int, critical: Int) throws {
    let model = try makeModel(name)
    #expect(model.layers.count == main)
    #expect(model.allLayers.filter { $0.kind != .linear }.count == convolutions)
    #expect(model.allLayers.count == convolutions + 1)
    #expect(model.defaultCriticalCount == critical)
    #expect(model.allLayers.map(\.index) == Array(model.allLayers.indices))
    #expect(model.units.map(\.name) == model.layers.map(\.name))
    #expect(model.units.map(\.index) == Array(0..<main))
  }

  /// Table 9 of the CLAT paper: the sizes to three digits, and the sets that explain its figures.
  @Test func publishedSelections() throws {
    for row in PublishedSelection.table9 {
      let model = try row.model()
      let millions = try #require(Double(row.total.dropLast()))
      #expect(abs(Double(model.parameterCount) / 1e6 - millions) < 0.006 * millions, "\(row)")
      #expect(row.layers.count == model.defaultCriticalCount, "\(row)")
    }
    let counts = try PublishedSelection.table9.map { try $0.trainedCount(of: $0.model()) }
    #expect(
      counts == [
        135_168, 10_653_696, 1_446_336, 3_670_016, 823_296, 3_709_440, 589_824, 2_359_296,
      ])
  }

  @Test func namesAndOwners() throws {
    let model = try makeModel("resnet18")
    #expect(model.layers[11].name == "layer3.1.conv1")
    #expect(model.layers[11].norm?.gamma == "layer3.1.bn1.weight")
    #expect(model.layers[11].bias == nil)
    let weight = try #require(model.parameters.first { $0.name == "layer3.1.conv1.weight" })
    #expect(weight.shape == [256, 256, 3, 3] && weight.kind == .weight)
    let variance = try #require(model.parameters.first { $0.name == "layer3.1.bn1.running_var" })
    #expect(model.layers[11].norm?.variance == variance.name && !variance.isTrainable)
    let shortcut = model.allLayers.first { $0.name == "layer2.0.shortcut.0" }
    #expect(
      shortcut?.kind == .shortcut && shortcut?.norm?.mean == "layer2.0.shortcut.1.running_mean")
  }

  @Test func wideNormsBelongToDirectOutputs() throws {
    let model = try makeModel("wrn-16-2")
    func layer(_ norm: String) -> Int? { model.layers.firstIndex { $0.norm?.gamma == norm } }
    #expect(layer("block1.layer.0.bn1.weight") == 0)
    #expect(layer("block1.layer.0.bn2.weight") == 1)
    #expect(layer("block1.layer.1.bn1.weight") == nil)
    #expect(layer("bn1.weight") == nil)
  }

  @Test func convolutionBiases() throws {
    let model = try makeModel("vgg16:width=8")
    #expect(model.layers.map(\.name).prefix(3) == ["features.0", "features.3", "features.7"])
    #expect(model.layers[1].bias == "features.3.bias")
    #expect(model.layers[1].norm?.beta == "features.4.bias")
  }

  /// Convolutions and the linear layer of ResNet-20 do 2 * 40.55 million multiply-adds' operations
  /// (He et al. 2015 give 41 million multiply-adds); the rest is a few percent.
  @Test func flops() throws {
    let flops = try makeModel("resnet20").flops()
    #expect(flops > 2 * 40.55e6 && flops < 2 * 40.55e6 * 1.03)
  }

  @Test(arguments: Model.names, [BatchNormMode.train, .eval])
  func graphsOfAllNetworks(name: String, mode: BatchNormMode) throws {
    let model = try makeModel(name)
    let (graph, forward) = try emitted(model, mode, batch: 3)
    #expect(graph.type(forward.logits) == .f32(3, 10))
    #expect(forward.features.map(\.layer) == Array(model.units.indices))
    #expect(graph.taps.map(\.name) == model.layers.map(\.name))
    let parameters = graph.inputs.dropFirst().map(\.name).filter { !["ids", "stream"].contains($0) }
    #expect(parameters == model.parameters.map(\.name))
    try Verifier.verify(graph)
  }

  @Test(arguments: ["small-cnn", "resnet18:width=8", "resnet20", "wrn-16-1", "preact-resnet18"])
  func smallGreyImages(name: String) throws {
    let model = try makeModel(name, (8, 8, 1), classes: 3)
    #expect(model.parameters[0].shape[1] == 1)
    let (graph, forward) = try emitted(model, .train)
    #expect(graph.type(forward.logits) == .f32(2, 3))
  }

  @Test func largerImagesGiveVGGMoreFeatures() throws {
    let model = try makeModel("vgg16:width=8", (64, 96, 3))
    #expect(model.parameters.first { $0.name == "classifier.weight" }?.shape == [10, 64 * 2 * 3])
  }
}
