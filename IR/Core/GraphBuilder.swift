/// Builds a graph node by node; every node is type-checked as it is added.
public final class GraphBuilder {
  public private(set) var graph: Graph
  /// Called after every node; the eager engine executes it here.
  public var onEmit: ((Node) throws -> Void)?

  public init(name: String) { graph = Graph(name: name) }

  /// Goes on building an existing graph, as passes do.
  public init(extending graph: Graph) { self.graph = graph }

  public func type(_ value: ValueID) -> TensorType { graph.type(value) }

  /// Declares an input. An input of the same name must have the same type, and is the same value.
  public func input(_ name: String, _ type: TensorType, _ role: InputRole) throws -> ValueID {
    if let known = graph.input(named: name) {
      guard graph.type(known.value) == type else {
        throw IRError(
          "input \"\(name)\" is declared as \(type) and as \(graph.type(known.value))")
      }
      return known.value
    }
    let value = newValue(type)
    graph.inputs.append(GraphInput(value: value, name: name, role: role))
    return value
  }

  /// Adds a node and returns its results.
  ///
  /// - Throws: IRError where the operands do not fit the operation.
  @discardableResult
  public func emit(
    _ op: String, _ operands: [ValueID], _ attributes: Attributes = [:]
  ) throws -> [ValueID] {
    let definition = try OpRegistry.definition(op)
    let attributes = try definition.complete(attributes)
    let types = try definition.inferResults(operands.map(graph.type), attributes)
    let results = types.map(newValue)
    let node = Node(op: op, operands: operands, results: results, attributes: attributes)
    graph.nodes.append(node)
    try onEmit?(node)
    return results
  }

  /// Adds a node of one result, or of which only the first matters.
  public func emitOne(
    _ op: String, _ operands: [ValueID], _ attributes: Attributes = [:]
  ) throws -> ValueID {
    try emit(op, operands, attributes)[0]
  }

  public func output(_ name: String, _ value: ValueID, updates: ValueID? = nil) {
    graph.outputs.append(GraphOutput(name: name, value: value, updates: updates))
  }

  public func tap(_ name: String, _ value: ValueID) {
    graph.taps.append(Tap(name: name, value: value))
  }

  /// Declares the loop: `input` of role carried starts as `initial` and becomes `next` after every
  /// step.
  public func loop(steps: Int, carry input: ValueID, initial: ValueID, next: ValueID) {
    graph.loop = Loop(steps: steps, carries: [Carry(input: input, initial: initial, next: next)])
  }

  public func header(_ name: String, _ value: Attribute) { graph.header[name] = value }

  private func newValue(_ type: TensorType) -> ValueID {
    graph.values.append(ValueInfo(type: type, stage: nil))
    return ValueID(graph.values.count - 1)
  }
}
