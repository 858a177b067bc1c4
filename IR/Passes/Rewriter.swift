/// Rebuilds a graph node by node: the way in which passes change graphs. Values are renumbered in
/// definition order, so whatever is not copied is gone.
struct Rewriter {
  let source: Graph
  let builder: GraphBuilder
  private(set) var map: [ValueID: ValueID] = [:]

  /// Starts with the inputs of `source`, or those of them that `keep` accepts.
  init(_ source: Graph, keepInput keep: (GraphInput) -> Bool = { _ in true }) throws {
    self.source = source
    builder = GraphBuilder(name: source.name)
    for name in source.header.names { builder.header(name, source.header[name]!) }
    for input in source.inputs where keep(input) {
      map[input.value] = try builder.input(input.name, source.type(input.value), input.role)
    }
  }

  /// The new value that stands for an old one.
  func mapped(_ value: ValueID) throws -> ValueID {
    guard let new = map[value] else { throw IRError("\(value) is used before it is defined") }
    return new
  }

  mutating func replace(_ old: ValueID, by new: ValueID) { map[old] = new }

  /// Copies a node, with other attributes or operands (old values) where given.
  @discardableResult
  mutating func copy(_ node: Node, attributes: Attributes? = nil) throws -> [ValueID] {
    let results = try builder.emit(
      node.op, node.operands.map(mapped), attributes ?? node.attributes)
    guard results.count == node.results.count else {
      throw IRError(
        "\(node.op): its results changed from \(node.results.count) to \(results.count)")
    }
    for (old, new) in zip(node.results, results) { map[old] = new }
    return results
  }

  /// The new graph, with outputs, taps and loop carried over. Outputs and taps that `keep` refuses
  /// are dropped.
  func finish(keepOutput keep: (GraphOutput) -> Bool = { _ in true }) throws -> Graph {
    for tap in source.taps {
      if let value = map[tap.value] { builder.tap(tap.name, value) }
    }
    for output in source.outputs where keep(output) {
      builder.output(
        output.name, try mapped(output.value), updates: try output.updates.map(mapped))
    }
    var graph = builder.graph
    graph.loop = try source.loop.map { loop in
      Loop(
        steps: loop.steps,
        carries: try loop.carries.map {
          Carry(
            input: try mapped($0.input), initial: try mapped($0.initial), next: try mapped($0.next))
        })
    }
    let staged = source.values.contains { $0.stage != nil }
    return staged ? graph.withStages() : graph
  }
}

extension Graph {
  /// How many times each value is read: by nodes, outputs and the loop. Taps do not count.
  var readCounts: [Int] {
    var counts = [Int](repeating: 0, count: values.count)
    for node in nodes { for operand in node.operands { counts[operand.index] += 1 } }
    for root in roots { counts[root.index] += 1 }
    return counts
  }

  /// The graph with its nodes in topological order, otherwise in their old order.
  ///
  /// - Throws: IRError where the nodes form a cycle.
  func topologicallySorted() throws -> Graph {
    var graph = self
    var ready = Set(inputs.map(\.value))
    var pending = nodes
    graph.nodes = []
    while !pending.isEmpty {
      var later: [Node] = []
      for node in pending {
        if node.operands.allSatisfy(ready.contains) {
          graph.nodes.append(node)
          ready.formUnion(node.results)
        } else {
          later.append(node)
        }
      }
      guard later.count < pending.count else {
        throw IRError("graph \(name) has a cycle through \(later[0].op)")
      }
      pending = later
    }
    return graph
  }
}
