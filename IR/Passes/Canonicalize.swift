/// Removes operations that do nothing and merges chains of scales.
func canonicalize(_ graph: Graph) throws -> Graph {
  var rewriter = try Rewriter(graph)
  let definitions = graph.definitions
  for node in graph.nodes {
    guard node.op == "scale" else {
      try rewriter.copy(node)
      continue
    }
    var factor = node.attributes.float("factor")
    var source = node.operands[0]
    while let index = definitions[source.index], graph.nodes[index].op == "scale" {
      factor *= graph.nodes[index].attributes.float("factor")
      source = graph.nodes[index].operands[0]
    }
    let operand = try rewriter.mapped(source)
    let value =
      factor == 1
      ? operand : try rewriter.builder.emitOne("scale", [operand], ["factor": .float(factor)])
    rewriter.replace(node.results[0], by: value)
  }
  return try rewriter.finish()
}
