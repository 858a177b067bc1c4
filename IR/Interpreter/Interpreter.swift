/// Executes a graph in double precision with every operation's reference: slow, and obviously right.
public struct Interpreter {
  private let graph: Graph
  /// Whether a node depends on a loop-carried input.
  private let isRepeated: [Bool]

  /// - Throws: IRError where the graph is not valid or holds gradient requests.
  public init(_ graph: Graph) throws {
    try Verifier.verify(graph, level: .differentiated)
    self.graph = graph
    var carried = Set(graph.inputs.filter { $0.role == .carried }.map(\.value))
    isRepeated = graph.nodes.map { node in
      guard node.operands.contains(where: carried.contains) else { return false }
      carried.formUnion(node.results)
      return true
    }
  }

  /// The outputs, by name.
  ///
  /// - Parameter inputs: values by name, in row-major order; bits as 0 and 1.
  /// - Throws: IRError where an input is missing or has the wrong number of values.
  public func run(inputs: [String: [Double]]) throws -> [String: [Double]] {
    let values = try evaluate(inputs: inputs)
    return Dictionary(uniqueKeysWithValues: graph.outputs.map { ($0.name, values[$0.value]!) })
  }

  /// Every value of the last iteration.
  public func evaluate(inputs: [String: [Double]]) throws -> [ValueID: [Double]] {
    var values: [ValueID: [Double]] = [:]
    for input in graph.inputs where input.role != .carried {
      values[input.value] = try check(inputs[input.name], input)
    }
    try execute(repeated: false, &values)
    guard let loop = graph.loop else { return values }
    for carry in loop.carries { values[carry.input] = values[carry.initial] }
    for step in 0..<loop.steps {
      if step > 0 {
        let next = loop.carries.map { values[$0.next] }
        for (carry, value) in zip(loop.carries, next) { values[carry.input] = value }
      }
      try execute(repeated: true, &values)
    }
    return values
  }

  private func check(_ given: [Double]?, _ input: GraphInput) throws -> [Double] {
    guard let given else { throw IRError("input \"\(input.name)\" is missing") }
    let type = graph.type(input.value)
    guard given.count == type.count else {
      throw IRError("input \"\(input.name)\" of \(type) takes \(type.count) values, got \(given.count)")
    }
    return given
  }

  private func execute(repeated: Bool, _ values: inout [ValueID: [Double]]) throws {
    for (node, isRepeated) in zip(graph.nodes, isRepeated) where isRepeated == repeated {
      let call = OpInvocation(
        types: OpTypes(operands: node.operands.map(graph.type), attributes: node.attributes),
        resultTypes: node.results.map(graph.type), inputs: node.operands.map { values[$0]! })
      let results = try OpRegistry.definition(node.op).reference(call)
      for (result, value) in zip(node.results, results) { values[result] = value }
    }
  }
}
