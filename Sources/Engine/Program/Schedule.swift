import IR

/// The order in which a graph's nodes run: by stage, within a stage as the graph has them, but an
/// optimiser step as soon as its gradient is known and nothing else will read the old parameter, so
/// that gradients do not all live until the end and the new parameter takes the old one's place.
func schedule(_ graph: Graph) -> [Node] {
  var sections: [Stage: [Node]] = [:]
  for node in graph.nodes {
    let stage = node.results.first.flatMap { graph.stage($0) } ?? .batch
    sections[stage, default: []].append(node)
  }
  return Stage.allCases.flatMap { hoistUpdates(sections[$0] ?? []) }
}

private func hoistUpdates(_ nodes: [Node]) -> [Node] {
  let updates = nodes.filter { $0.op == "sgd" }
  var remaining = updates.map { update in
    let readers = nodes.filter { $0.op != "sgd" && $0.operands.contains(update.operands[0]) }
    return Set(update.operands + readers.flatMap(\.results))
  }
  var ordered: [Node] = []
  var placed = Set<Int>()
  let defined = Set(nodes.flatMap(\.results))
  for index in remaining.indices { remaining[index].formIntersection(defined) }
  func placeReady() {
    for index in updates.indices where remaining[index].isEmpty && placed.insert(index).inserted {
      ordered.append(updates[index])
    }
  }
  for node in nodes where node.op != "sgd" {
    ordered.append(node)
    for index in updates.indices { remaining[index].subtract(node.results) }
    placeReady()
  }
  placeReady()
  return ordered
}
