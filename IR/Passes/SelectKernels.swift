/// Chooses the algorithm of every convolution, and prepares the filters it wants as values of their
/// own, so that they are computed at stage `weights` and not on every pass. Where Winograd's would
/// take more than `storedBytes` together, the largest are transformed on the way.
func selectKernels(_ graph: Graph, _ policy: ConvolutionPolicy) throws -> Graph {
  let nodes = try graph.nodes.map { try policy.select($0, $0.operands.map(graph.type)) }
  let transient = try transientTransforms(graph, nodes)
  let definitions = graph.definitions
  var rewriter = try Rewriter(graph)
  for var node in nodes {
    var operands = try node.operands.map(rewriter.mapped)
    if let use = FilterUse(node, graph) {
      if transient.contains(use) {
        node.attributes["filters"] = .string(FilterTransforms.transient.rawValue)
        if let scaling = definitions[use.filters.index].map({ graph.nodes[$0] }),
          scaling.op == "scale_filters"
        {
          // No copy of the filters with their scale outlives the stage `weights`.
          let scale = FilterScale(axis: scaling.attributes.int("axis"))
          node.attributes["filter_scale"] = .string(scale.rawValue)
          operands[1] = try rewriter.mapped(scaling.operands[0])
          operands.append(try rewriter.mapped(scaling.operands[1]))
        }
      } else {
        operands[1] = try rewriter.builder.emitOne("pack_filters", [operands[1]], use.packing)
      }
    }
    let results = try rewriter.builder.emit(node.op, operands, node.attributes)
    for (old, new) in zip(node.results, results) { rewriter.replace(old, by: new) }
  }
  return try eliminateDead(eliminateCommon(rewriter.finish()))
}

/// Bytes that the stored transforms of a program may take: transient ones cost a tenth of a
/// convolution's time, and less where stored ones would come from memory (decision 0010).
private let storedBytes = 256 << 20

/// Plain filters and how an operation wants them packed: operations with the same share the value.
private struct FilterUse: Hashable {
  var filters: ValueID
  var packing: Attributes

  /// nil where the operation's filters are packed already, or not at all.
  init?(_ node: Node, _ graph: Graph) {
    guard node.attributes.string("filters") != FilterTransforms.transient.rawValue,
      let packing = IR.packing(node), graph.type(node.operands[1]).dtype == .f32
    else { return nil }
    (filters, self.packing) = (node.operands[1], packing)
  }
}

/// The largest transforms, as many as must not be stored.
private func transientTransforms(_ graph: Graph, _ nodes: [Node]) throws -> Set<FilterUse> {
  var uses: [(use: FilterUse, bytes: Int)] = []
  var seen = Set<FilterUse>()
  for node in nodes {
    guard let use = FilterUse(node, graph), seen.insert(use).inserted else { continue }
    let algorithm = try ConvolutionAlgorithm.of(use.packing)
    guard algorithm != .direct else { continue }
    let shape = graph.type(use.filters).shape
    uses.append((use, algorithm.points * 4 * shape[0] * shape[1]))
  }
  var total = uses.reduce(0) { $0 + $1.bytes }
  var transient = Set<FilterUse>()
  let order = uses.indices.sorted { (-uses[$0].bytes, $0) < (-uses[$1].bytes, $1) }
  for index in order where total > storedBytes {
    transient.insert(uses[index].use)
    total -= uses[index].bytes
  }
  return transient
}

/// The attributes of `pack_filters` for an operation's filters, or nil where it has none.
private func packing(_ node: Node) -> Attributes? {
  switch node.op {
  case "linear": return [:]
  case "linear_input_grad": return ["transpose": .bool(true)]
  case "conv2d":
    // The layout of direct filters does not depend on the stride, and is shared.
    var attributes: Attributes = ["algorithm": node.attributes["algorithm"]!]
    attributes["groups"] = node.attributes["groups"]
    if attributes.string("algorithm") != ConvolutionAlgorithm.direct.rawValue {
      attributes["stride"] = node.attributes["stride"]
    }
    return attributes
  case "conv2d_input_grad":
    var attributes: Attributes = ["transpose": .bool(true)]
    for name in ["algorithm", "stride", "pad", "input", "groups"] {
      attributes[name] = node.attributes[name]
    }
    return attributes
  default: return nil
  }
}
