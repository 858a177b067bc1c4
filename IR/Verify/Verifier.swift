/// Checks that a graph obeys the rules of its level.
public enum Verifier {
  /// What a graph may hold at a point of the pipeline.
  public enum Level: Sendable, Hashable {
    /// As built: gradient requests are allowed.
    case graph
    /// No gradient request remains.
    case differentiated
    /// Only these operations remain.
    case selected(Set<String>)
  }

  /// - Throws: IRError with the first broken rule; for a node, with the nodes around it.
  public static func verify(_ graph: Graph, level: Level = .graph) throws {
    var defined = Set<ValueID>()
    for input in graph.inputs {
      try define(input.value, in: graph, &defined) { "input \"\(input.name)\"" }
    }
    try verifyNames(graph)
    for (index, node) in graph.nodes.enumerated() {
      do {
        try verify(node, graph, level, &defined)
      } catch let error as IRError {
        throw IRError("\(error.message)\n\(neighbourhood(of: index, in: graph))")
      }
    }
    try verifyEnds(graph, defined)
  }

  private static func define(
    _ value: ValueID, in graph: Graph, _ defined: inout Set<ValueID>, _ what: () -> String
  ) throws {
    guard graph.values.indices.contains(value.index) else {
      throw IRError("\(what()): value \(value) does not exist")
    }
    guard defined.insert(value).inserted else {
      throw IRError("\(what()): value \(value) is defined twice")
    }
  }

  private static func verifyNames(_ graph: Graph) throws {
    var names = Set<String>()
    for input in graph.inputs where !names.insert(input.name).inserted {
      throw IRError("two inputs are named \"\(input.name)\"")
    }
    names = []
    for output in graph.outputs where !names.insert(output.name).inserted {
      throw IRError("two outputs are named \"\(output.name)\"")
    }
  }

  private static func verify(
    _ node: Node, _ graph: Graph, _ level: Level, _ defined: inout Set<ValueID>
  ) throws {
    let definition = try OpRegistry.definition(node.op)
    switch level {
    case .graph: break
    case .differentiated:
      guard node.op != "gradient" else { throw IRError("a gradient request remains") }
    case .selected(let known):
      guard known.contains(node.op) else { throw IRError("\(node.op) has no kernel") }
    }
    for operand in node.operands where !defined.contains(operand) {
      throw IRError("\(node.op): operand \(operand) is used before it is defined")
    }
    guard try definition.complete(node.attributes) == node.attributes else {
      throw IRError("\(node.op): attributes are incomplete")
    }
    let types = try definition.inferResults(node.operands.map(graph.type), node.attributes)
    guard types.count == node.results.count else {
      throw IRError("\(node.op): has \(node.results.count) results, must have \(types.count)")
    }
    for (result, type) in zip(node.results, types) {
      try define(result, in: graph, &defined) { node.op }
      guard graph.type(result) == type else {
        throw IRError("\(node.op): \(result) is declared \(graph.type(result)), must be \(type)")
      }
      try verifyStage(of: result, node, graph)
    }
  }

  private static func verifyStage(of result: ValueID, _ node: Node, _ graph: Graph) throws {
    guard let stage = graph.stage(result) else { return }
    let latest = node.operands.compactMap { graph.stage($0) }.max() ?? .weights
    guard stage == latest else {
      throw IRError("\(node.op): \(result) is of stage \(stage.name), must be \(latest.name)")
    }
  }

  private static func verifyEnds(_ graph: Graph, _ defined: Set<ValueID>) throws {
    for root in graph.roots + graph.taps.map(\.value) where !defined.contains(root) {
      throw IRError("an output, tap or loop names \(root), which is not defined")
    }
    let inputs = Set(graph.inputs.map(\.value))
    for output in graph.outputs {
      guard let input = output.updates else { continue }
      guard inputs.contains(input) else {
        throw IRError("output \"\(output.name)\" updates \(input), which is no input")
      }
      guard graph.type(input) == graph.type(output.value) else {
        throw IRError(
          "output \"\(output.name)\" of \(graph.type(output.value)) updates an input of "
            + "\(graph.type(input))")
      }
    }
    try verifyLoop(graph)
  }

  private static func verifyLoop(_ graph: Graph) throws {
    let carried = Set(graph.inputs.filter { $0.role == .carried }.map(\.value))
    let carries = graph.loop?.carries ?? []
    guard Set(carries.map(\.input)) == carried, carries.count == carried.count else {
      throw IRError("the loop must carry every input of role carried once, and no other")
    }
    if let loop = graph.loop, loop.steps < 1 { throw IRError("the loop must run at least once") }
    for carry in carries {
      for value in [carry.initial, carry.next]
      where graph.type(value) != graph.type(carry.input) {
        throw IRError("\(value) is carried to \(carry.input) but differs from it in type")
      }
      if graph.stage(carry.initial) == .step {
        throw IRError("\(carry.initial) starts the loop but depends on it")
      }
    }
  }

  private static func neighbourhood(of index: Int, in graph: Graph) -> String {
    let range = max(0, index - 3)..<min(graph.nodes.count, index + 4)
    return range.map { position in
      let node = graph.nodes[position]
      let results = node.results.map(\.description).joined(separator: ", ")
      let operands = node.operands.map(\.description).joined(separator: ", ")
      return "\(position == index ? "->" : "  ") \(results) = \(node.op) \(operands)"
    }.joined(separator: "\n")
  }
}
