/// Chooses the algorithm of every convolution, and prepares the filters it wants as values of their
/// own, so that they are computed at stage `weights` and not on every pass; unless it is better to
/// make them on the way.
func selectKernels(
  _ graph: Graph, _ policy: ConvolutionPolicy, threads: Int
) throws -> Graph {
  var rewriter = try Rewriter(graph)
  for node in graph.nodes {
    let types = node.operands.map(graph.type)
    let node = try selectTransforms(policy.select(node, types), types, threads: threads)
    var operands = try node.operands.map(rewriter.mapped)
    if let attributes = packing(node), graph.type(node.operands[1]).dtype == .f32 {
      operands[1] = try rewriter.builder.emitOne("pack_filters", [operands[1]], attributes)
    }
    let results = try rewriter.builder.emit(node.op, operands, node.attributes)
    for (old, new) in zip(node.results, results) { rewriter.replace(old, by: new) }
  }
  return try eliminateCommon(rewriter.finish())
}

/// A Winograd convolution of plain filters with the place of their transforms chosen.
private func selectTransforms(
  _ node: Node, _ types: [TensorType], threads: Int
) throws -> Node {
  let algorithm = try ConvolutionAlgorithm.of(node.attributes)
  guard algorithm != .direct, types[1].dtype == .f32 else { return node }
  let types = OpTypes(operands: types, attributes: node.attributes)
  let shape: ConvolutionShape
  switch node.op {
  case "conv2d": shape = try .forward(types)
  case "conv2d_input_grad": shape = try .inputGradient(types)
  default: return node
  }
  var node = node
  node.attributes["filters"] = .string(
    FilterTransforms.choose(shape, algorithm, threads: threads).rawValue)
  return node
}

/// The attributes of `pack_filters` for an operation's filters, or nil where it has none.
private func packing(_ node: Node) -> Attributes? {
  guard node.attributes.string("filters") != FilterTransforms.transient.rawValue else {
    return nil
  }
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
