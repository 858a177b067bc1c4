/// Drops nodes and inputs that no output needs: everything above the last tap of a feature attack,
/// every gradient that nobody asked for.
func eliminateDead(_ graph: Graph) throws -> Graph {
  var live = Set(graph.roots)
  live.formUnion(graph.loop?.carries.map(\.input) ?? [])
  live.formUnion(graph.outputs.compactMap(\.updates))
  for node in graph.nodes.reversed() where node.results.contains(where: live.contains) {
    live.formUnion(node.operands)
  }
  var rewriter = try Rewriter(graph) { live.contains($0.value) }
  for node in graph.nodes where node.results.contains(where: live.contains) {
    try rewriter.copy(node)
  }
  return try rewriter.finish()
}

/// Computes equal nodes once.
func eliminateCommon(_ graph: Graph) throws -> Graph {
  struct Key: Hashable {
    var op: String
    var operands: [ValueID]
    var attributes: Attributes
  }
  var known: [Key: [ValueID]] = [:]
  var rewriter = try Rewriter(graph)
  for node in graph.nodes {
    let key = Key(
      op: node.op, operands: try node.operands.map(rewriter.mapped), attributes: node.attributes)
    if let results = known[key] {
      for (old, new) in zip(node.results, results) { rewriter.replace(old, by: new) }
    } else {
      known[key] = try rewriter.copy(node)
    }
  }
  return try rewriter.finish()
}
