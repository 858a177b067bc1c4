import IR
import Models

/// Turns the nodes of an ONNX graph into those of a network, one after the other.
struct Importer {
  let graph: Onnx_GraphProto
  let version: Int
  let builder: GraphBuilder
  /// The number of images that the graph is read for.
  private(set) var batch = 0
  var values: [String: OnnxValue] = [:]
  var weights = WeightTable()
  var notes: [String] = []
  var dropouts = 0
  /// What a value is known to be beyond its own node, so that one node can stand for several.
  var origins: [ValueID: Origin] = [:]
  /// Numbers that calculated constants and weights may still hold, so that a small file does not
  /// become a large network.
  private var budget: Int
  private var external: ExternalData

  /// How a value came about.
  enum Origin {
    /// source * scale + shift, one number each a channel.
    case affine(of: ValueID, scale: [Double], shift: [Double])
    case sigmoid(of: ValueID)
    case softplus(of: ValueID)
    /// Every `stride`-th pixel.
    case subsampled(of: ValueID, stride: Int)
    /// A convolution or matrix product that has no bias yet.
    case product(layer: String)
  }

  /// More nodes than any classifier has.
  private static let maximumNodeCount = 100_000

  init(
    _ graph: Onnx_GraphProto, version: Int, budget: Int, external: ExternalData
  ) throws {
    guard graph.node.count <= Self.maximumNodeCount else {
      throw ModelError("\(graph.node.count) nodes; at most \(Self.maximumNodeCount) are read")
    }
    self.graph = graph
    self.version = version
    self.budget = budget
    self.external = external
    builder = GraphBuilder(name: graph.name.isEmpty ? "network" : graph.name)
  }

  mutating func run() throws -> ONNXFile.Import {
    for var tensor in graph.initializer {
      try external.load(&tensor)
      values[tensor.name] = .constant(try Constant(tensor))
    }
    budget += 4 * external.totalBytes
    guard graph.sparseInitializer.isEmpty else { throw ModelError("sparse weights are not read") }
    try defineImages()
    for proto in graph.node { try convert(proto) }
    let network = try finish()
    return ONNXFile.Import(network: network, notes: notes)
  }

  /// Takes numbers off the budget.
  mutating func spend(_ count: Int) throws {
    budget -= count
    guard budget >= 0 else { throw ModelError("its constants grow far beyond the file's size") }
  }

  // MARK: Ends

  private mutating func defineImages() throws {
    let inputs = graph.input.filter { values[$0.name] == nil }
    guard inputs.count == 1 else {
      let names = inputs.map(\.name).joined(separator: ", ")
      throw ModelError("a classifier has one input, the images; found \(inputs.count): \(names)")
    }
    let type = inputs[0].type.tensorType
    let floats: [Onnx_TensorProto.DataType] = [.float, .float16, .double]
    guard floats.contains(where: { $0.rawValue == type.elemType }) else {
      throw ModelError("input '\(inputs[0].name)' must hold floating-point numbers")
    }
    let extents = type.shape.dim.map { Int($0.dimValue) }
    guard extents.count == 4, extents[1...].allSatisfy({ (1...65536).contains($0) }),
      (0...65536).contains(extents[0])
    else {
      throw ModelError(
        "input '\(inputs[0].name)' must be images [N, C, H, W] of fixed C, H and W, "
          + "is \(extents.map { $0 == 0 ? "?" : "\($0)" })")
    }
    // A number that no extent of a batch of one is mistaken for.
    batch = extents[0] == 0 ? 2 : extents[0]
    let images = try builder.input(
      "images", .f32(batch, extents[2], extents[3], extents[1]), .data)
    values[inputs[0].name] = .tensor(
      OnnxTensor(value: images, shape: [batch] + extents[1...]))
  }

  private mutating func finish() throws -> ImportedNetwork {
    guard graph.output.count == 1 else {
      throw ModelError("a classifier has one output, the logits; found \(graph.output.count)")
    }
    let name = graph.output[0].name
    guard case .tensor(let logits) = values[name] else {
      throw ModelError("output '\(name)' is not calculated from the images")
    }
    builder.output("logits", try rows(logits))
    let graph = builder.graph.withoutDeadNodes()
    let network = try NetworkGraph(graph)
    let names = Set(network.parameters.map(\.name))
    return ImportedNetwork(network, values: weights.values.filter { names.contains($0.key) })
  }

  // MARK: Nodes

  private mutating func convert(_ proto: Onnx_NodeProto) throws {
    let inputs = try proto.input.map { name -> OnnxValue? in
      guard !name.isEmpty else { return nil }
      guard let value = values[name] else {
        throw ModelError(
          "node '\(proto.name)' (\(proto.opType)) reads '\(name)', which nothing before it makes")
      }
      return value
    }
    let node = OnnxNode(proto, inputs: inputs, version: version)
    do {
      let result = try convert(node)
      if let output = proto.output.first, !output.isEmpty { values[output] = result }
    } catch let error as ModelError {
      throw ModelError("\(node.label): \(error.message)")
    } catch let error as IRError {
      throw ModelError("\(node.label): \(error.message)")
    }
  }

  private mutating func convert(_ node: OnnxNode) throws -> OnnxValue {
    let op = node.proto.opType
    guard ["", "ai.onnx"].contains(node.proto.domain), let rule = Self.rules[op] else {
      let known = Self.rules.keys.sorted().joined(separator: ", ")
      throw ModelError("operator '\(op)' is not supported; supported: \(known)")
    }
    if let folded = try Folding.value(node) {
      try spend(folded.count)
      return .constant(folded)
    }
    return try rule(&self, node)
  }

  typealias Rule = @Sendable (inout Importer, OnnxNode) throws -> OnnxValue

  /// What every operator becomes, except where all of its inputs are known.
  private static let rules: [String: Rule] =
    layerRules
    .merging(elementwiseRules) { first, _ in first }
    .merging(poolingRules) { first, _ in first }
    .merging(shapeRules) { first, _ in first }

  // MARK: Values

  func emit(_ op: String, _ operands: [ValueID], _ attributes: Attributes = [:]) throws -> ValueID {
    try builder.emitOne(op, operands, attributes)
  }

  /// A value of the graph in ONNX's shape.
  func tensor(_ value: ValueID) -> OnnxValue {
    let shape = builder.type(value).shape
    return .tensor(
      OnnxTensor(
        value: value, shape: shape.count == 4 ? [shape[0], shape[3], shape[1], shape[2]] : shape))
  }

  /// The value as the graph holds it: NHWC, or [N, C].
  func plain(_ tensor: OnnxTensor) throws -> ValueID {
    switch tensor.form {
    case .plain: return tensor.value
    case .pooled(let source):
      let shape = builder.type(source).shape
      let window = Attribute.ints([shape[1], shape[2]])
      return try emit("avg_pool", [source], ["kernel": window, "stride": window])
    case .row: throw ModelError("[N, C] with more axes can only scale the channels of images")
    case .channel: throw ModelError("a channel of images without its axis is only unsqueezed")
    case .padded: throw ModelError("padding is supported before convolutions and pools alone")
    case .sliced: throw ModelError("every n-th pixel is supported in rows and columns alike")
    case .exceeds: throw ModelError("comparisons are supported within softplus alone")
    case .errorFunction: throw ModelError("erf is supported within GELU alone")
    }
  }

  /// [N, C], of what may be [N, C, 1, 1].
  func rows(_ tensor: OnnxTensor) throws -> ValueID {
    switch tensor.form {
    case .pooled, .row: return tensor.value
    default: break
    }
    let value = try plain(tensor)
    guard builder.type(value).rank == 4, tensor.shape[2...].allSatisfy({ $0 == 1 }) else {
      return value
    }
    return try emit("flatten", [value])
  }
}

extension Graph {
  /// Without the nodes and inputs that no output needs, but with the images.
  fileprivate func withoutDeadNodes() -> Graph {
    var needed = Set(outputs.map(\.value))
    var graph = self
    graph.nodes = nodes.reversed().filter { node in
      guard node.results.contains(where: needed.contains) else { return false }
      needed.formUnion(node.operands)
      return true
    }.reversed()
    graph.inputs = inputs.filter { $0.name == "images" || needed.contains($0.value) }
    return graph.compacted()
  }
}
