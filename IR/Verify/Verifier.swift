/// Checks that a graph obeys the rules of its level (docs/ir.md lists them).
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

  /// - Throws: IRError with the first broken rule; for a node, with three nodes on each side.
  public static func verify(_ graph: Graph, level: Level = .graph) throws {
    var nodes = NodeVerifier(graph, level)
    try nodes.defineInputs()
    for (index, node) in graph.nodes.enumerated() {
      do {
        try nodes.verify(node)
      } catch let error as IRError {
        throw IRError("\(error.message)\n\(neighbourhood(of: index, in: graph))")
      }
    }
    if let value = graph.values.indices.map(ValueID.init).first(where: {
      !nodes.defined.contains($0)
    }) {
      throw IRError("no input and no node defines \(value)")
    }
    try EndsVerifier(graph, nodes.defined).verify()
  }

  private static func neighbourhood(of index: Int, in graph: Graph) -> String {
    let range = max(0, index - 3)..<min(graph.nodes.count, index + 4)
    return range.map { position in
      "\(position == index ? "->" : "  ") \(graph.text(of: graph.nodes[position]))"
    }.joined(separator: "\n")
  }
}

/// Every value is defined once and before it is read; every node is what its operation's rules say.
private struct NodeVerifier {
  let graph: Graph
  let level: Verifier.Level
  /// Whether stages have been assigned: to all values or to none.
  let staged: Bool
  var defined = Set<ValueID>()

  init(_ graph: Graph, _ level: Verifier.Level) {
    self.graph = graph
    self.level = level
    staged = graph.values.contains { $0.stage != nil }
  }

  mutating func defineInputs() throws {
    var names = Set<String>()
    for input in graph.inputs {
      try define(input.value) { "input \"\(input.name)\"" }
      try graph.type(input.value).check()
      guard names.insert(input.name).inserted else {
        throw IRError("two inputs are named \"\(input.name)\"")
      }
      guard !staged || graph.stage(input.value) == graph.stage(of: input) else {
        throw IRError(
          "input \"\(input.name)\" must be of stage \(graph.stage(of: input).name)")
      }
    }
  }

  mutating func verify(_ node: Node) throws {
    let definition = try OpRegistry.definition(node.op)
    try verifyLevel(node)
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
      try define(result) { node.op }
      guard graph.type(result) == type else {
        throw IRError("\(node.op): \(result) is declared \(graph.type(result)), must be \(type)")
      }
      try verifyStage(of: result, node)
    }
  }

  private func verifyLevel(_ node: Node) throws {
    switch level {
    case .graph: break
    case .differentiated:
      guard node.op != "gradient" else { throw IRError("a gradient request remains") }
    case .selected(let known):
      guard known.contains(node.op) else { throw IRError("\(node.op) has no kernel") }
    }
  }

  private func verifyStage(of result: ValueID, _ node: Node) throws {
    guard staged else { return }
    let latest = node.stage(latest: node.operands.compactMap { graph.stage($0) }.max())
    guard graph.stage(result) == latest else {
      let stage = graph.stage(result).map { "is of stage \($0.name)" } ?? "has no stage"
      throw IRError("\(node.op): \(result) \(stage), must be \(latest.name)")
    }
  }

  private mutating func define(_ value: ValueID, _ what: () -> String) throws {
    guard graph.values.indices.contains(value.index) else {
      throw IRError("\(what()): value \(value) does not exist")
    }
    guard defined.insert(value).inserted else {
      throw IRError("\(what()): value \(value) is defined twice")
    }
  }
}

/// Outputs, taps and the loop.
private struct EndsVerifier {
  let graph: Graph
  let defined: Set<ValueID>

  init(_ graph: Graph, _ defined: Set<ValueID>) {
    self.graph = graph
    self.defined = defined
  }

  func verify() throws {
    var names = Set<String>()
    for tap in graph.taps {
      try expectDefined(tap.value) { "tap \"\(tap.name)\"" }
      guard names.insert(tap.name).inserted else {
        throw IRError("two taps are named \"\(tap.name)\"")
      }
    }
    names = []
    var updated = Set<ValueID>()
    for output in graph.outputs {
      try expectDefined(output.value) { "output \"\(output.name)\"" }
      guard names.insert(output.name).inserted else {
        throw IRError("two outputs are named \"\(output.name)\"")
      }
      try verifyUpdate(output, &updated)
    }
    try verifyLoop()
  }

  private func expectDefined(_ value: ValueID, _ what: () -> String) throws {
    guard defined.contains(value) else {
      throw IRError("\(what()): value \(value) is not defined")
    }
  }

  private func verifyUpdate(_ output: GraphOutput, _ updated: inout Set<ValueID>) throws {
    guard let target = output.updates else { return }
    guard let input = graph.inputs.first(where: { $0.value == target }) else {
      throw IRError("output \"\(output.name)\" updates \(target), which is no input")
    }
    guard input.role != .carried else {
      throw IRError("output \"\(output.name)\" updates the carried input \"\(input.name)\"")
    }
    guard updated.insert(target).inserted else {
      throw IRError("two outputs update the input \"\(input.name)\"")
    }
    guard graph.type(target) == graph.type(output.value) else {
      throw IRError(
        "output \"\(output.name)\" of \(graph.type(output.value)) updates an input of "
          + "\(graph.type(target))")
    }
  }

  private func verifyLoop() throws {
    let carried = Set(graph.inputs.filter { $0.role == .carried }.map(\.value))
    let carries = graph.loop?.carries ?? []
    guard Set(carries.map(\.input)) == carried, carries.count == carried.count else {
      throw IRError("the loop must carry every input of role carried once, and no other")
    }
    if let loop = graph.loop, loop.steps < 1 { throw IRError("the loop must run at least once") }
    let staged = graph.withStages()
    for carry in carries {
      for value in [carry.initial, carry.next] {
        try expectDefined(value) { "the loop" }
        guard graph.type(value) == graph.type(carry.input) else {
          throw IRError("\(value) is carried to \(carry.input) but differs from it in type")
        }
      }
      guard let first = staged.stage(carry.initial), first < .step else {
        throw IRError("\(carry.initial) starts the loop but depends on it")
      }
      guard staged.stage(carry.next) != .after else {
        throw IRError("\(carry.next) is carried but known only after the loop")
      }
    }
  }
}
