import Foundation
import IR
import Models
import Testing

@testable import ONNX

/// What is no classifier, damaged or hostile gets one line.
@Suite struct BadFileTests {
  private func change(
    _ name: String = "vgg-legacy", _ body: (inout Onnx_ModelProto) throws -> Void
  ) throws -> String {
    var model = try Onnx_ModelProto(serializedBytes: Goldens.bytes(name))
    try body(&model)
    let bytes: Data = try model.serializedBytes()
    return message { _ = try ONNXFile.read(bytes) }
  }

  private func expect(
    _ found: String, _ expected: String, sourceLocation: SourceLocation = #_sourceLocation
  ) {
    #expect(found.contains(expected), "\(found)", sourceLocation: sourceLocation)
    #expect(!found.contains("\n"), sourceLocation: sourceLocation)
  }

  @Test func foreignFiles() throws {
    for bytes in [Data(), Data("graph @x {}".utf8), Data(repeating: 0xff, count: 100)] {
      expect(message { _ = try ONNXFile.read(bytes) }, "not an ONNX model")
    }
    expect(try change { $0.opsetImport = [] }, "opset_import of ai.onnx >= 7")
    expect(try change { $0.opsetImport[0].version = 6 }, "opset_import of ai.onnx >= 7")
  }

  @Test func operators() throws {
    let unknown = try change { $0.graph.node[0].opType = "Convolve" }
    expect(unknown, "node '/features/features.0/Conv' (Conv")
    expect(unknown, "operator 'Convolve' is not supported; supported: Add, AveragePool,")
    expect(
      try change { $0.graph.node[0].domain = "com.microsoft" }, "operator 'Conv' is not supported")
    for name in ["Conv", "MaxPool"] {
      let dilated = try change { model in
        let node = try #require(model.graph.node.firstIndex { $0.opType == name })
        let dilations = model.graph.node[node].attribute.firstIndex { $0.name == "dilations" }
        model.graph.node[node].attribute[try #require(dilations)].ints = [2, 2]
      }
      expect(dilated, "(\(name)): dilations [2, 2] are not supported")
      expect(dilated, "node '/features/features.")
    }
  }

  @Test func graphs() throws {
    let cycle = try change { $0.graph.node[0].input[0] = $0.graph.node[3].output[0] }
    expect(
      cycle, "(Conv) reads '/features/features.3/Conv_output_0', which nothing before it makes")
    expect(try change { $0.graph.output = [] }, "a classifier has one output, the logits; found 0")
    expect(try change { $0.graph.output[0].name = "x" }, "output 'x' is not calculated")
    expect(
      try change { $0.graph.input.append($0.graph.input[0]) }, "one input, the images; found 2")
    expect(
      try change { $0.graph.input[0].type.tensorType.elemType = 7 },
      "input 'images' must hold floating-point numbers")
    expect(
      try change { $0.graph.input[0].type.tensorType.shape.dim[2] = .init() },
      "must be images [N, C, H, W] of fixed C, H and W, is [\"?\", \"3\", \"?\", \"16\"]")
  }

  @Test func tensors() throws {
    func first(_ body: (inout Onnx_TensorProto) -> Void) throws -> String {
      try change { body(&$0.graph.initializer[0]) }
    }
    expect(try first { $0.dataLocation = .external }, "is kept in another file")
    expect(try first { $0.dims = [8, 3, 3, 4] }, "of shape [8, 3, 3, 4] holds 216 numbers")
    expect(try first { $0.dims = [1 << 40, 1 << 40] }, "holds 216 numbers")
    expect(try first { $0.dims = [-8, -27] }, "holds 216 numbers")
    expect(try first { $0.dataType = 8 }, "has elements of type string; supported: float, float16")
    expect(try first { $0.dataType = 99 }, "element type 99 is unknown")
    expect(try first { $0.rawData.removeLast() }, "holds 215 numbers")
  }

  @Test func hugeExtents() throws {
    expect(
      try change { $0.graph.input[0].type.tensorType.shape.dim[3].dimValue = 1 << 40 },
      "must be images [N, C, H, W]")
    let padded = try change { model in
      for index in model.graph.node[0].attribute.indices
      where model.graph.node[0].attribute[index].name == "pads" {
        model.graph.node[0].attribute[index].ints = [1 << 40, 1 << 40, 1 << 40, 1 << 40]
      }
    }
    expect(padded, "pads must be four numbers")
  }

  /// Many constants from one, many weights from one.
  @Test func growth() throws {
    var turned = Onnx_NodeProto()
    turned.opType = "Transpose"
    let many = try change { model in
      turned.input = [model.graph.initializer[0].name]
      model.graph.node = (0..<20_000).map { index in
        turned.output = ["t\(index)"]
        return turned
      }
    }
    expect(many, "its constants grow far beyond the file's size")
    let filled = try change { model in
      var node = Onnx_NodeProto()
      node.opType = "ConstantOfShape"
      node.input = ["huge"]
      node.output = ["filled"]
      var shape = Onnx_TensorProto()
      shape.name = "huge"
      shape.dims = [2]
      shape.dataType = 7
      shape.int64Data = [1 << 30, 1 << 30]
      model.graph.initializer.append(shape)
      model.graph.node.insert(node, at: 0)
    }
    expect(filled, "(ConstantOfShape): a constant of shape")
  }

  @Test(arguments: ["vgg-legacy", "mobile-dynamo"])
  func truncation(name: String) throws {
    let bytes = try Goldens.bytes(name)
    for length in stride(from: 0, to: bytes.count, by: 97) {
      expect(message { _ = try ONNXFile.read(bytes.prefix(length)) }, " ")
    }
  }

  /// Whatever bytes change, the reader ends with a network or with one line.
  @Test(arguments: [
    "vgg-legacy", "resnet-a-legacy", "mobile-legacy", "mobile-dynamo", "preact-dynamo",
    "densenet-dynamo", "resnet-b-training",
  ])
  func mutations(name: String) throws {
    let whole = try Goldens.bytes(name)
    // Nodes come first in the file; few mutations would fall on them otherwise.
    var model = try Onnx_ModelProto(serializedBytes: whole)
    model.graph.initializer = []
    let nodes: Data = try model.serializedBytes()
    let head = nodes.count
    let stream = RandomStream(seed: 11, epoch: 0, purpose: .shuffle)
    var refused = 0
    for round in 0..<600 {
      var bytes = whole
      let draws = stream.words(item: round, index: 0)
      for edit in 0...Int(draws.0 % 4) {
        let (place, kind, value, count) = stream.words(item: round, index: 1 + edit)
        let index = Int(place) % (round % 8 == 0 ? bytes.count : min(head, bytes.count))
        switch kind % 4 {
        case 0: bytes[index] = UInt8(value & 255)
        case 1: bytes[index] ^= 1 << (value % 8)
        case 2: bytes.remove(at: index)
        default:
          let length = min(Int(count % 32), bytes.count - index)
          bytes.insert(contentsOf: bytes[index..<index + length], at: Int(value) % head)
        }
      }
      let found = message { _ = try ONNXFile.read(bytes).network.model(named: "net.onnx") }
      #expect(!found.contains("\n"), "\(found)")
      if found != "no error" { refused += 1 }
    }
    #expect((50..<600).contains(refused), "\(refused)")
  }
}
