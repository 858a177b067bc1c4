import IR

/// A network as a graph: one input of images, weights and statistics as named inputs, logits as the
/// only output. It is what a file brings (docs/bring-your-own.md), and what `Model.graph` writes.
public struct NetworkGraph: Sendable, Equatable {
  public let graph: Graph
  /// In the order of the text: that of PyTorch's state_dict.
  public let parameters: [ParameterInfo]
  /// Their inputs.
  let inputs: [ValueID]
  /// The names of all inputs.
  let names: [ValueID: String]
  let images: GraphInput
  let logits: ValueID

  /// More nodes, or inputs, than any network has; keeps the analysis of a hostile text short.
  static let maximumCount = 10_000

  /// - Throws: ModelError that names the input, output or node which no network has; IRError where
  ///   the graph breaks the rules of all graphs.
  public init(_ graph: Graph) throws {
    let counts = [graph.nodes.count, graph.inputs.count, graph.taps.count]
    guard counts.allSatisfy({ $0 <= Self.maximumCount }), graph.loop == nil else {
      throw ModelError(
        "a network has no loop and at most \(Self.maximumCount) nodes, inputs and taps each")
    }
    try Verifier.verify(graph)
    self.graph = graph
    images = try Self.images(graph)
    logits = try Self.logits(graph)
    for node in graph.nodes { try Self.check(node, graph) }
    parameters = try ParameterUses(graph).kinds()
    inputs = graph.inputs.filter { $0.role != .data }.map(\.value)
    names = Dictionary(graph.inputs.map { ($0.value, $0.name) }) { first, _ in first }
  }

  public var imageShape: (height: Int, width: Int, channels: Int) {
    let shape = graph.type(images.value).shape
    return (shape[1], shape[2], shape[3])
  }

  public var classes: Int { graph.type(logits).channels }

  public static func == (a: NetworkGraph, b: NetworkGraph) -> Bool { a.graph == b.graph }

  private static func images(_ graph: Graph) throws -> GraphInput {
    for input in graph.inputs where ![.data, .parameter, .buffer].contains(input.role) {
      throw ModelError("input \"\(input.name)\": a network has no input of role \(input.role)")
    }
    let data = graph.inputs.filter { $0.role == .data && !isDropouts($0, graph) }
    guard data.count == 1 else {
      throw ModelError("a network has one input of role data, the images; found \(data.count)")
    }
    let type = graph.type(data[0].value)
    guard type.dtype == .f32, type.rank == 4 else {
      throw ModelError("input \"\(data[0].name)\": images are f32[N,H,W,C], found \(type)")
    }
    return data[0]
  }

  /// Whether an input is what dropouts draw from.
  private static func isDropouts(_ input: GraphInput, _ graph: Graph) -> Bool {
    let readers = graph.nodes.filter { $0.operands.contains(input.value) }
    return graph.type(input.value).dtype == .i32 && readers.allSatisfy { $0.op == "dropout" }
      && ["ids", "stream"].contains(input.name)
  }

  private static func logits(_ graph: Graph) throws -> ValueID {
    guard graph.outputs.count == 1, graph.outputs[0].updates == nil else {
      throw ModelError("a network has one output, the logits; found \(graph.outputs.count)")
    }
    let type = graph.type(graph.outputs[0].value)
    guard type.dtype == .f32, type.rank == 2 else {
      throw ModelError("output \"\(graph.outputs[0].name)\": logits are f32[N,C], found \(type)")
    }
    return graph.outputs[0].value
  }

  /// Networks are differentiated, and written before the compiler's passes.
  private static func check(_ node: Node, _ graph: Graph) throws {
    let isPlain = node.attributes.string("epilogue").isEmpty
    guard try node.op == "constant" || OpRegistry.definition(node.op).gradient != nil, isPlain
    else {
      throw ModelError("\(graph.text(of: node)): \(node.op) here is no layer of a network")
    }
  }
}

/// What reads the inputs of a network, and so what they are.
private struct ParameterUses {
  let graph: Graph
  /// By value: every place that reads it.
  private var places: [ValueID: [(node: Node, operand: Int)]] = [:]

  init(_ graph: Graph) {
    self.graph = graph
    for node in graph.nodes {
      for (operand, value) in node.operands.enumerated() {
        places[value, default: []].append((node, operand))
      }
    }
  }

  func kinds() throws -> [ParameterInfo] {
    try graph.inputs.filter { $0.role != .data }.map { input in
      let places = places[input.value] ?? []
      guard let place = places.first, places.count == 1 else {
        throw ModelError(
          "input \"\(input.name)\": one node must read it, \(places.count) do")
      }
      let kind = Self.kind(place.node.op, place.operand)
      guard let kind, (input.role == .parameter) == kind.isTrainable else {
        throw ModelError(
          "input \"\(input.name)\": \(place.node.op) takes no \(input.role) as operand "
            + "\(place.operand)")
      }
      return ParameterInfo(name: input.name, shape: graph.type(input.value).shape, kind: kind)
    }
  }

  private static func kind(_ op: String, _ operand: Int) -> ParameterInfo.Kind? {
    switch (op, operand) {
    case ("conv2d", 1), ("linear", 1): .weight
    case ("bias_add", 1): .bias
    case ("batch_norm", 1), ("affine", 1), ("channel_scale", 1): .gamma
    case ("batch_norm", 2), ("affine", 2): .beta
    case ("batch_norm", 3): .runningMean
    case ("batch_norm", 4): .runningVar
    default: nil
    }
  }
}
