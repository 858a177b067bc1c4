/// The body of a `fused` node: element-wise work on one domain of images, with the vectors it
/// broadcasts and the sums it takes over an image.
///
/// Values are numbered on their own: parameters first, one for each operand of the node, then the
/// results of the region's nodes in order.
public struct Region: Hashable, Sendable {
  /// The types of all values.
  public let values: [TensorType]
  /// How many of the values are parameters.
  public let parameterCount: Int
  public let nodes: [Node]
  /// What the node's results are.
  public let results: [ValueID]

  /// The region whose parameters are the inputs of `graph`, and whose results its outputs, in
  /// order.
  public init(_ graph: Graph) {
    let graph = graph.compacted()
    values = graph.values.map(\.type)
    parameterCount = graph.inputs.count
    nodes = graph.nodes
    results = graph.outputs.map(\.value)
  }

  public func type(_ value: ValueID) -> TensorType { values[value.index] }

  /// The region as a graph: inputs `0`, `1`, ... and outputs likewise.
  public var graph: Graph {
    var graph = Graph(name: "region")
    graph.values = values.map { ValueInfo(type: $0, stage: nil) }
    graph.inputs = (0..<parameterCount).map {
      GraphInput(value: ValueID($0), name: "\($0)", role: .data)
    }
    graph.nodes = nodes
    graph.outputs = results.enumerated().map { GraphOutput(name: "\($0)", value: $1) }
    return graph
  }
}
