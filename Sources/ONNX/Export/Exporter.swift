import Foundation
import IR
import Models

/// Turns the nodes of a network into those of ONNX, one after the other.
struct Exporter {
  let graph: Graph
  var file = Onnx_GraphProto()
  /// The ONNX name of every value; of constants and weights that of their initializer.
  var names: [ValueID: String] = [:]
  private let values: [String: [Float]]
  private let uses: [[Int]]
  private let definitions: [Int?]
  private var initializers: Set<String> = []

  init(_ graph: Graph, values: [String: [Float]]) throws {
    self.graph = graph
    self.values = values
    uses = graph.uses
    definitions = graph.definitions
  }

  mutating func run() throws -> Onnx_GraphProto {
    file.name = graph.name
    for input in graph.inputs {
      names[input.value] = input.name
      guard input.role == .data, graph.type(input.value).rank == 4 else { continue }
      file.input.append(port(input.name, planar(graph.type(input.value).shape)))
    }
    let logits = graph.outputs[0]
    for node in graph.nodes { try convert(node) }
    for index in file.node.indices where file.node[index].output == [name(logits.value)] {
      file.node[index].output = [logits.name]
    }
    file.output = [port(logits.name, graph.type(logits.value).shape)]
    return file
  }

  private mutating func convert(_ node: Node) throws {
    guard let rule = Self.rules[node.op] else {
      throw ModelError("\(graph.text(of: node)): '\(node.op)' cannot be written as ONNX")
    }
    names[node.results[0]] = try rule(&self, node)
  }

  typealias Rule = @Sendable (inout Exporter, Node) throws -> String

  private static let rules: [String: Rule] = layerRules.merging(otherRules) { first, _ in first }

  // MARK: Values

  func name(_ value: ValueID) -> String { names[value] ?? "\(value)" }

  /// NHWC as [N, C, H, W].
  func planar(_ shape: [Int]) -> [Int] {
    shape.count == 4 ? [shape[0], shape[3], shape[1], shape[2]] : shape
  }

  /// The bias that a layer's product gets and nothing else reads it before.
  func bias(of product: Node) -> (parameter: ValueID, node: Node)? {
    let readers = uses[product.results[0].index]
    guard readers.count == 1, case let next = graph.nodes[readers[0]], next.op == "bias_add",
      definitions[next.operands[1].index] == nil
    else { return nil }
    return (next.operands[1], next)
  }

  /// Whether a `bias_add` is part of the layer before it.
  func isLayerBias(_ node: Node) -> Bool {
    guard let before = definitions[node.operands[0].index].map({ graph.nodes[$0] }),
      ["conv2d", "linear"].contains(before.op)
    else { return false }
    return bias(of: before)?.node == node
  }

  private func port(_ name: String, _ shape: [Int]) -> Onnx_ValueInfoProto {
    var port = Onnx_ValueInfoProto()
    port.name = name
    port.type.tensorType.elemType = Int32(Onnx_TensorProto.DataType.float.rawValue)
    port.type.tensorType.shape.dim = shape.enumerated().map { axis, extent in
      var dimension = Onnx_TensorShapeProto.Dimension()
      if axis == 0 { dimension.dimParam = "batch" } else { dimension.dimValue = Int64(extent) }
      return dimension
    }
    return port
  }

  // MARK: Nodes

  /// Adds a node; its result is named after `value`, or after its own place in the file.
  mutating func add(
    _ op: String, _ inputs: [String], _ attributes: [Onnx_AttributeProto] = [], module: String = ""
  ) -> String {
    var node = Onnx_NodeProto()
    node.opType = op
    let place = module.isEmpty ? "\(op)_\(file.node.count)" : module
    node.name = module.isEmpty ? place : "/\(module)/\(op)"
    node.input = inputs
    node.output = ["\(place)_output"]
    node.attribute = attributes
    file.node.append(node)
    return node.output[0]
  }

  /// The initializer of a weight, in the given shape.
  mutating func weight(_ value: ValueID, shape: [Int]? = nil) throws -> String {
    if let definition = definitions[value.index] {
      let numbers = graph.nodes[definition].attributes.floats("values").map { Float($0) }
      return constant(numbers, shape: shape ?? [numbers.count])
    }
    let (name, own) = (name(value), graph.type(value).shape)
    guard let numbers = values[name], numbers.count == own.reduce(1, *) else {
      throw ModelError("no values for '\(name)'")
    }
    store(name, numbers, shape ?? own)
    return name
  }

  /// A new initializer.
  mutating func constant(_ numbers: [Float], shape: [Int]) -> String {
    let name = "constant_\(file.initializer.count)"
    store(name, numbers, shape)
    return name
  }

  mutating func constant(_ numbers: [Int]) -> String {
    var tensor = Onnx_TensorProto()
    tensor.name = "constant_\(file.initializer.count)"
    tensor.dims = [Int64(numbers.count)]
    tensor.dataType = Int32(Onnx_TensorProto.DataType.int64.rawValue)
    tensor.int64Data = numbers.map(Int64.init)
    file.initializer.append(tensor)
    return tensor.name
  }

  private mutating func store(_ name: String, _ numbers: [Float], _ shape: [Int]) {
    guard initializers.insert(name).inserted else { return }
    var tensor = Onnx_TensorProto()
    tensor.name = name
    tensor.dims = shape.map(Int64.init)
    tensor.dataType = Int32(Onnx_TensorProto.DataType.float.rawValue)
    tensor.rawData = numbers.map(\.bitPattern.littleEndian).withUnsafeBytes { Data($0) }
    file.initializer.append(tensor)
  }
}

/// Attributes of ONNX nodes.
extension Onnx_AttributeProto {
  static func int(_ name: String, _ value: Int) -> Onnx_AttributeProto {
    make(name, .int) { $0.i = Int64(value) }
  }

  static func ints(_ name: String, _ values: [Int]) -> Onnx_AttributeProto {
    make(name, .ints) { $0.ints = values.map(Int64.init) }
  }

  static func float(_ name: String, _ value: Double) -> Onnx_AttributeProto {
    make(name, .float) { $0.f = Float(value) }
  }

  static func string(_ name: String, _ value: String) -> Onnx_AttributeProto {
    make(name, .string) { $0.s = Data(value.utf8) }
  }

  private static func make(
    _ name: String, _ type: AttributeType, _ fill: (inout Onnx_AttributeProto) -> Void
  ) -> Onnx_AttributeProto {
    var attribute = Onnx_AttributeProto()
    attribute.name = name
    attribute.type = type
    fill(&attribute)
    return attribute
  }
}
