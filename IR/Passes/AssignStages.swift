extension Graph {
  /// The graph with every value at the earliest stage at which it is known: that of its latest
  /// operand.
  public func withStages() -> Graph {
    var graph = self
    for input in inputs { graph.values[input.value.index].stage = input.role.stage }
    for node in nodes {
      let stage = node.operands.compactMap { graph.stage($0) }.max() ?? .weights
      for result in node.results { graph.values[result.index].stage = stage }
    }
    return graph
  }
}
