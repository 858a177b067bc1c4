/// Withdraws the gradient requests and the updates of frozen parameters, before anything is
/// differentiated, so that no work for them remains; multiplies gradients by element masks where
/// these are requested; and runs the batch norms of frozen layers in evaluation mode, unless the
/// request leaves them as they are.
func applyFreeze(_ graph: Graph, _ request: CompileRequest) throws -> Graph {
  var graph = graph
  for name in request.freeze.union(request.masks).sorted() {
    guard let input = graph.input(named: name), input.role == .parameter else {
      throw IRError("cannot freeze '\(name)': the graph has no such parameter")
    }
  }
  let names = Dictionary(uniqueKeysWithValues: graph.inputs.map { ($0.value, $0.name) })
  let frozen = Set(request.freeze.compactMap { graph.input(named: $0)?.value })
  if !request.freeze.isEmpty {
    graph.header["freeze"] = .string(request.freeze.sorted().joined(separator: " "))
    if !request.freezesBatchNorms { graph.header["freezes_batch_norms"] = .bool(false) }
  }
  var dropped = Set<ValueID>()
  /// Statistics that frozen batch norms hand on as they were.
  var unchanged = Set<ValueID>()
  var rewriter = try Rewriter(graph)
  for node in graph.nodes {
    if node.operands.contains(where: dropped.contains) {
      dropped.formUnion(node.results)
    } else if node.op == "gradient" {
      try rewriter.requestGradient(node, frozen: frozen, masks: request.masks, names: names)
      for (operand, result) in zip(node.operands.dropFirst(), node.results)
      where frozen.contains(operand) { dropped.insert(result) }
    } else if request.freezesBatchNorms, node.op == "batch_norm", frozen.contains(node.operands[1])
    {
      try rewriter.freezeBatchNorm(node)
      unchanged.formUnion(node.results.dropFirst(3).prefix(2))
    } else {
      try rewriter.copy(node)
    }
  }
  return try rewriter.finish { !dropped.contains($0.value) && !unchanged.contains($0.value) }
}

extension Rewriter {
  fileprivate mutating func requestGradient(
    _ node: Node, frozen: Set<ValueID>, masks: Set<String>, names: [ValueID: String]
  ) throws {
    let kept = node.operands.indices.dropFirst().filter { !frozen.contains(node.operands[$0]) }
    guard !kept.isEmpty else { return }
    let operands = try [mapped(node.operands[0])] + kept.map { try mapped(node.operands[$0]) }
    let gradients = try builder.emit("gradient", operands)
    for (index, gradient) in zip(kept, gradients) {
      var gradient = gradient
      if let name = names[node.operands[index]], masks.contains(name) {
        let mask = try builder.input("mask.\(name)", builder.type(gradient), .buffer)
        gradient = try builder.emitOne("multiply", [gradient, mask])
      }
      replace(node.results[index - 1], by: gradient)
    }
  }

  fileprivate mutating func freezeBatchNorm(_ node: Node) throws {
    var attributes = node.attributes
    attributes["mode"] = .string(BatchNormMode.eval.rawValue)
    let y = try builder.emitOne("batch_norm", node.operands.map(mapped), attributes)
    replace(node.results[0], by: y)
    for (result, operand) in zip(node.results.dropFirst(3), node.operands[3...4]) {
      replace(result, by: try mapped(operand))
    }
  }
}
