/// avg_pool(conv2d(x, w)) -> conv2d(avg_pool(x), w) for 1x1 convolutions of stride 1.
///
/// Both are linear, one acts on channels and one on pixels, so that they commute; the convolution
/// then has fewer pixels to do: a quarter, in DenseNet's transitions (Huang et al. 2017, section 3).
func poolFirst(_ graph: Graph) throws -> Graph {
  let definitions = graph.definitions
  let reads = graph.readCounts
  func convolution(before node: Node) -> Node? {
    guard node.op == "avg_pool",
      graph.type(node.results[0]).count < graph.type(node.operands[0]).count,
      reads[node.operands[0].index] == 1, let index = definitions[node.operands[0].index],
      graph.isPointwiseConvolution(graph.nodes[index])
    else { return nil }
    return graph.nodes[index]
  }
  let moved = Set(graph.nodes.compactMap { convolution(before: $0)?.results[0] })
  var rewriter = try Rewriter(graph)
  for node in graph.nodes where !node.results.contains(where: moved.contains) {
    guard let convolution = convolution(before: node) else {
      try rewriter.copy(node)
      continue
    }
    let pooled = try rewriter.builder.emitOne(
      node.op, [rewriter.mapped(convolution.operands[0])], node.attributes)
    rewriter.replace(
      node.results[0],
      by: try rewriter.builder.emitOne(
        convolution.op, [pooled, rewriter.mapped(convolution.operands[1])], convolution.attributes))
  }
  return try rewriter.finish()
}

extension Graph {
  /// A convolution of 1x1 filters that sees every pixel once.
  fileprivate func isPointwiseConvolution(_ node: Node) -> Bool {
    guard node.op == "conv2d", node.operands.count == 2 else { return false }
    let (x, w, y) = (type(node.operands[0]), type(node.operands[1]), type(node.results[0]))
    return w.shape[2...] == [1, 1] && x.shape[1...2] == y.shape[1...2]
      && node.attributes.ints("stride") == [1, 1]
  }
}
