import Adversarial
import Datasets
import Foundation
import Models
import ONNX
import Storage
import TestSupport
import Testing

/// Files that PyTorch wrote, against what PyTorch computes.
@Suite struct ImportTests {
  @Test(arguments: Goldens.names)
  func logits(name: String) throws {
    let network = try Goldens.read(name).network
    var actual = try network.logits(Goldens.images)
    if name.hasPrefix("preact") { actual = centred(actual) }
    let expected = try #require(Goldens.logits[name]).floats().map(Double.init)
    #expect(relativeError(actual, expected) < 1e-5)
  }

  /// Softmax is left out; logits differ from log-probabilities by one number an image.
  private func centred(_ logits: [Double]) -> [Double] {
    stride(from: 0, to: logits.count, by: 10).flatMap { start in
      let row = logits[start..<start + 10]
      return row.map { $0 - row.reduce(0, +) / 10 }
    }
  }

  @Test(arguments: ["preact-legacy", "preact-dynamo"])
  func softmaxIsLeftOut(name: String) throws {
    let notes = try Goldens.read(name).notes
    #expect(notes.count == 1 && notes[0].contains("(Softmax) is left out"))
    #expect(try Goldens.read("vgg-legacy").notes.isEmpty)
  }

  /// PyTorch's names, from initializers or from the nodes' scopes, and PyTorch's kinds of layers.
  @Test(arguments: ["resnet-b-legacy", "resnet-b-dynamo", "resnet-b-training"])
  func names(name: String) throws {
    let model = try Goldens.read(name).network.model(named: name)
    let layers = [
      "conv1", "layer1.0.conv1", "layer1.0.conv2", "layer2.0.conv1", "layer2.0.conv2",
      "layer2.1.conv1", "layer2.1.conv2",
    ].map { "network." + $0 }
    #expect(model.layers.map(\.name) == layers)
    #expect(
      model.allLayers.filter { $0.kind == .shortcut }.map(\.name)
        == ["network.layer2.0.shortcut.0"])
    let names = Set(model.parameters.map(\.name))
    #expect(names.isSuperset(of: layers.map { $0 + ".weight" }))
    #expect(names.contains("network.linear.bias"))
    let hasNorms = name.hasSuffix("training")
    #expect(names.contains("network.layer2.1.bn2.running_var") == hasNorms)
    #expect(names.contains("network.conv1.bias") == !hasNorms)
    #expect(model.layers.allSatisfy { ($0.norm != nil) == hasNorms })
  }

  /// The normalisation is one node, as that of our own networks.
  @Test func normalization() throws {
    let nodes = try Goldens.read("resnet-b-legacy").network.network.graph.nodes
    #expect(nodes.filter { $0.op == "affine" }.count == 1)
    let scale = try #require(nodes.first { $0.op == "constant" }).attributes.floats("values")
    #expect(relativeError(scale, [0.229, 0.224, 0.225].map { 1 / $0 }) < 1e-7)
  }

  /// Several nodes of the file become one of ours.
  @Test(arguments: [
    ("mobile-legacy", ["silu": 1, "gelu": 1, "image_scale": 1, "leaky_relu": 1, "softplus": 1]),
    ("mobile-dynamo", ["silu": 1, "gelu": 2, "image_scale": 1, "leaky_relu": 1, "softplus": 1]),
    ("mobile-legacy", ["clamp": 1, "hard_swish": 1, "hard_sigmoid": 1]),
    ("vgg-training", ["dropout": 1, "batch_norm": 1, "max_pool": 2]),
    ("vgg-legacy", ["dropout": 0, "batch_norm": 0]),
    ("resnet-a-legacy", ["subsample_pad": 1, "global_avg_pool": 1, "linear": 1]),
    ("resnet-a-dynamo", ["subsample_pad": 1, "global_avg_pool": 1, "linear": 1]),
    ("pool-legacy", ["avg_pool": 3, "leaky_relu": 1, "add": 1]),
    ("pool-dynamo", ["avg_pool": 3, "leaky_relu": 1, "add": 1]),
    ("densenet-dynamo", ["concat": 3, "avg_pool": 1, "global_avg_pool": 1]),
  ])
  func operations(name: String, counts: [String: Int]) throws {
    let nodes = try Goldens.read(name).network.network.graph.nodes
    for (op, count) in counts { #expect(nodes.count { $0.op == op } == count, "\(op)") }
  }

  /// The published ResNet-20 gets as many images right from ONNX as from its safetensors: from a
  /// file of ours, and from one of PyTorch's (`exports.py --resnet20`) where it is there.
  @Test(
    .enabled(
      if: published != nil,
      "CLAT_DATA and CLAT_WEIGHTS are not set: published weights are not evaluated"))
  func publishedAccuracy() throws {
    let (data, weights) = try #require(Self.published)
    let own = try Model(
      ModelSpec("resnet20"), imageShape: (32, 32, 3), classes: 10,
      mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225])
    let file = weights + "/resnet20-cifar10.safetensors"
    let found = try ModelSession.find(WeightFile.read(file), own)
    let values = try Dictionary(
      uniqueKeysWithValues: found.tensors.map { ($0.name, try $0.floats()) })
    var files = [try ONNXFile.write(own, values: values)]
    if let bytes = FileManager.default.contents(atPath: weights + "/resnet20-cifar10.onnx") {
      files.append(bytes)
    } else {
      print("no resnet20-cifar10.onnx of PyTorch's beside the weights: only a file of ours is read")
    }
    let test = try Dataset.load(data + "/cifar-10-batches-bin", split: .test).subset(1000)
    let options = Evaluation.Options(batchSize: 100, keepsImages: true)
    let expected = try Evaluation.run(ModelSession(own, values: values), test, options)
    #expect(abs(expected.cleanAccuracy - 0.9173) < 0.03)
    for file in files {
      let imported = try ONNXFile.read(file).network
      let session = try ModelSession(
        imported.model(named: "resnet20.onnx"), values: #require(imported.values))
      let result = try Evaluation.run(session, test, options)
      #expect(result.cleanCorrect == expected.cleanCorrect)
      #expect(
        relativeError(
          result.cleanLogits.map(Double.init), expected.cleanLogits.map(Double.init)) < 1e-5)
    }
  }

  static let published: (data: String, weights: String)? = {
    let environment = ProcessInfo.processInfo.environment
    guard let data = environment["CLAT_DATA"], let weights = environment["CLAT_WEIGHTS"] else {
      return nil
    }
    return (data, weights)
  }()
}
