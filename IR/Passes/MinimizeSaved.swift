/// Keeps one bit an element instead of an activation where the backward pass needs only the sign:
/// relu and relu_grad become relu_bits and mask.
func minimizeSaved(_ graph: Graph) throws -> Graph {
  let needed = Set(graph.nodes.filter { $0.op == "relu_grad" }.map { $0.operands[1] })
  var bits: [ValueID: ValueID] = [:]
  var rewriter = try Rewriter(graph)
  for node in graph.nodes {
    if node.op == "relu", needed.contains(node.results[0]) {
      let results = try rewriter.builder.emit("relu_bits", [rewriter.mapped(node.operands[0])])
      rewriter.replace(node.results[0], by: results[0])
      bits[node.results[0]] = results[1]
    } else if node.op == "relu_grad", let mask = bits[node.operands[1]] {
      rewriter.replace(
        node.results[0],
        by: try rewriter.builder.emitOne("mask", [rewriter.mapped(node.operands[0]), mask]))
    } else {
      try rewriter.copy(node)
    }
  }
  return try rewriter.finish()
}
