extension Graph {
  /// The graph with every value at the earliest stage at which it is known: that of its latest
  /// operand.
  public func withStages() -> Graph {
    var graph = self
    for input in inputs { graph.values[input.value.index].stage = stage(of: input) }
    for node in nodes {
      let stage = node.stage(latest: node.operands.compactMap { graph.stage($0) }.max())
      for result in node.results { graph.values[result.index].stage = stage }
    }
    return graph
  }

  /// The stage at which each node runs.
  public var nodeStages: [Stage] {
    let staged = withStages()
    return nodes.map { $0.results.first.flatMap { staged.stage($0) } ?? .batch }
  }
}

extension Node {
  /// The stage of the results.
  ///
  /// - Parameter latest: that of the operands; nil where there are none.
  func stage(latest: Stage?) -> Stage {
    op == OpRegistry.afterLoop.name ? .after : latest ?? .weights
  }
}
