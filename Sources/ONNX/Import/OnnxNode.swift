import Models

/// A node of the file with what its rule reads: inputs resolved, attributes checked.
struct OnnxNode {
  let proto: Onnx_NodeProto
  /// nil for optional inputs that are left out.
  let inputs: [OnnxValue?]
  /// The version of the operator set.
  let version: Int
  private let attributes: [String: Onnx_AttributeProto]

  init(_ proto: Onnx_NodeProto, inputs: [OnnxValue?], version: Int) {
    self.proto = proto
    self.inputs = inputs
    self.version = version
    attributes = Dictionary(proto.attribute.map { ($0.name, $0) }) { first, _ in first }
  }

  /// `node '/conv1/Conv' (Conv)`.
  var label: String {
    let name = proto.name.isEmpty ? proto.output.first ?? "" : proto.name
    return "node '\(name)' (\(proto.opType))"
  }

  func has(_ attribute: String) -> Bool { attributes[attribute] != nil }

  func int(_ name: String, default value: Int) -> Int {
    attributes[name].map { Int($0.i) } ?? value
  }

  func float(_ name: String, default value: Float) -> Float { attributes[name]?.f ?? value }

  func ints(_ name: String) -> [Int]? { attributes[name].map { $0.ints.map(Int.init) } }

  func string(_ name: String, default value: String) -> String {
    attributes[name].map { String(decoding: $0.s, as: UTF8.self) } ?? value
  }

  func tensor(_ name: String) throws -> Constant? {
    guard let attribute = attributes[name], attribute.hasT else { return nil }
    return try Constant(attribute.t)
  }

  /// An input that the network calculates.
  func tensor(_ index: Int) throws -> OnnxTensor {
    switch index < inputs.count ? inputs[index] : nil {
    case .tensor(let tensor): return tensor
    case .constant: throw ModelError("input \(index) is a constant, where images are expected")
    case nil: throw ModelError("input \(index) is missing")
    }
  }

  /// An input that is known, or nil where it is left out.
  func constant(_ index: Int) throws -> Constant? {
    switch index < inputs.count ? inputs[index] : nil {
    case .constant(let constant): return constant
    case .tensor: throw ModelError("input \(index) must be a constant of the file")
    case nil: return nil
    }
  }

  /// Whole numbers that older operator sets have as an attribute, newer ones as an input.
  func ints(_ name: String, orInput index: Int) throws -> [Int]? {
    if let ints = ints(name) { return ints }
    guard let constant = try constant(index) else { return nil }
    guard let ints = constant.ints else {
      throw ModelError("input \(index) (\(name)) must hold whole numbers")
    }
    return ints
  }

  /// An axis counted from the end if it is negative.
  static func axis(_ axis: Int, rank: Int) throws -> Int {
    guard (-rank..<rank).contains(axis) else {
      throw ModelError("axis \(axis) of a tensor of \(rank) axes")
    }
    return axis < 0 ? axis + rank : axis
  }
}
