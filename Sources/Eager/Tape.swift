import Engine
import IR

/// Records operations while executing them, so that gradients can be taken of what was recorded.
final class Tape {
  /// Values of the source graph.
  private(set) var values: [ValueID: Tensor]
  private let source: Graph
  private let builder: GraphBuilder
  /// Values of the tape's own graph.
  private var recorded: [ValueID: Tensor] = [:]
  /// The tape's value for a value of the source graph.
  private var map: [ValueID: ValueID] = [:]

  init(_ source: Graph, known: [ValueID: Tensor], runner: NodeRunner) throws {
    self.source = source
    values = [:]
    builder = GraphBuilder(name: source.name)
    try add(known: known)
    builder.onEmit = { [unowned self] node in
      let results = try runner.run(
        node, type: self.builder.type, operand: { self.recorded[$0] })
      for (value, tensor) in zip(node.results, results) { self.recorded[value] = tensor }
    }
  }

  /// Takes values that were computed elsewhere, as constants.
  func add(known: [ValueID: Tensor]) throws {
    values.merge(known) { $1 }
    for (value, tensor) in known {
      let input = try builder.input("\(value)", source.type(value), .data)
      map[value] = input
      recorded[input] = tensor
    }
  }

  /// Executes a node of the source graph; a gradient request executes the gradient of what was
  /// recorded so far.
  func record(_ node: Node) throws {
    let operands = try node.operands.map { operand in
      guard let value = map[operand] else { throw IRError("\(operand) has no value") }
      return value
    }
    let results =
      node.op == "gradient"
      ? try builder.gradients(of: operands[0], withRespectTo: Array(operands.dropFirst()))
      : try builder.emit(node.op, operands, node.attributes)
    for (old, new) in zip(node.results, results) {
      map[old] = new
      values[old] = recorded[new]
    }
  }
}
