/// Replaces every gradient request by the nodes that compute it: reverse accumulation over the
/// nodes between the loss and the requested values, and over no others.
func differentiate(_ graph: Graph) throws -> Graph {
  var rewriter = try Rewriter(graph)
  for node in graph.nodes {
    guard node.op == "gradient" else {
      try rewriter.copy(node)
      continue
    }
    let operands = try node.operands.map(rewriter.mapped)
    let gradients = try rewriter.builder.gradients(
      of: operands[0], withRespectTo: Array(operands.dropFirst()))
    for (result, gradient) in zip(node.results, gradients) {
      rewriter.replace(result, by: gradient)
    }
  }
  return try rewriter.finish()
}

extension GraphBuilder {
  /// Adds the nodes of the gradients of a scalar `loss` with respect to `targets`.
  ///
  /// - Throws: IRError where the loss does not depend on a target, or an operation on the way has
  ///   no gradient.
  public func gradients(
    of loss: ValueID, withRespectTo targets: [ValueID]
  ) throws -> [ValueID] {
    let nodes = graph.nodes
    let active = activeValues(nodes, targets: targets)
    var gradients: [ValueID: ValueID] = [
      loss: try emitOne("constant", [], ["values": .floats([1])])
    ]
    for node in nodes.reversed() where node.results.contains(where: { gradients[$0] != nil }) {
      let wanted = node.operands.map(active.contains)
      guard wanted.contains(true) else { continue }
      for (operand, gradient) in zip(node.operands, try operandGradients(node, gradients, wanted)) {
        guard let gradient, active.contains(operand) else { continue }
        gradients[operand] =
          try gradients[operand].map { try emitOne("add", [$0, gradient]) } ?? gradient
      }
    }
    return try targets.map { target in
      guard let gradient = gradients[target] else {
        throw IRError("the loss \(loss) does not depend on \(target)")
      }
      return gradient
    }
  }

  private func operandGradients(
    _ node: Node, _ gradients: [ValueID: ValueID], _ wanted: [Bool]
  ) throws -> [ValueID?] {
    guard let rule = try OpRegistry.definition(node.op).gradient else {
      throw IRError("\(node.op) has no gradient")
    }
    return try rule(
      GradientContext(
        builder: self, node: node, resultGradients: node.results.map { gradients[$0] },
        wanted: wanted))
  }

  /// The values that depend on a target, targets included, other than by way of the loop.
  private func activeValues(_ nodes: [Node], targets: [ValueID]) -> Set<ValueID> {
    var active = Set(targets)
    for node in nodes
    where node.op != OpRegistry.afterLoop.name && node.operands.contains(where: active.contains) {
      active.formUnion(node.results.filter { graph.type($0).dtype == .f32 })
    }
    return active
  }
}
