import IR

/// A network that emits itself from a graph, node by node.
///
/// Batch norms take the emitter's mode, whatever the graph says. Features follow the rules of
/// `Trace`, but where a tap of the graph names a layer, its value is that layer's activation; a tap
/// whose name begins the names of layers (`layer1.0`) makes these a block, and is its output.
struct GraphModule: Module {
  let network: NetworkGraph
  var isContainer: Bool { true }
  private let paths: Paths
  private let definitions: [Int?]
  private let layers: [Int: NetworkGraph.Layer]

  init(_ network: NetworkGraph) {
    self.network = network
    paths = Paths(network.graph)
    definitions = network.graph.definitions
    layers = network.layers(paths)
  }

  func emit(_ x: ValueID, _ context: EmitContext) throws -> ValueID {
    let graph = network.graph
    var values = [network.images.value: x]
    try declareInputs(&values, x, context)
    for (index, node) in graph.nodes.enumerated() {
      do {
        try emit(node, index, &values, context)
      } catch let error as IRError {
        throw ModelError("\(graph.text(of: node)): \(error.message)")
      }
    }
    declareTaps(values, context)
    return values[network.logits] ?? x
  }

  /// In the graph's order, what dropouts read among them.
  private func declareInputs(
    _ values: inout [ValueID: ValueID], _ x: ValueID, _ context: EmitContext
  ) throws {
    let parameters = Dictionary(zip(network.inputs, network.parameters)) { first, _ in first }
    for input in network.graph.inputs {
      if let parameter = parameters[input.value] {
        values[input.value] =
          try parameter.isTrainable
          ? context.parameter(parameter.name, parameter.shape, parameter.kind)
          : context.statistic(parameter.name, parameter.shape, parameter.kind)
      } else if input.value != network.images.value, context.drawsDropouts {
        try Dropout.declareInputs(x, context)
      }
    }
  }

  private func emit(
    _ node: Node, _ index: Int, _ values: inout [ValueID: ValueID], _ context: EmitContext
  ) throws {
    let operands = node.operands.compactMap { values[$0] }
    var attributes = node.attributes
    if node.op == "batch_norm" {
      attributes["mode"] = .string(context.mode.rawValue)
      context.trace.declareNorm(norm(node), of: operands[0])
    }
    if node.op == "dropout" {
      let y = try Dropout(attributes.float("rate")).emit(operands[0], context)
      values[node.results[0]] = y
      return context.trace.advance(operands[0], to: y)
    }
    let results = try context.builder.emit(node.op, operands, attributes)
    for (old, new) in zip(node.results, results) { values[old] = new }
    if node.op == "batch_norm", context.mode == .train {
      context.updateStatistic(norm(node).mean, results[3])
      context.updateStatistic(norm(node).variance, results[4])
    }
    trace(node, index, operands, results[0], context)
  }

  private func trace(
    _ node: Node, _ index: Int, _ operands: [ValueID], _ result: ValueID, _ context: EmitContext
  ) {
    if beginsGate(node, index) {
      // The gate's beginning does not end the feature that it scales.
    } else if node.op == "add" {
      let main = paths.main[index] ?? 0
      context.trace.advance(operands[main], to: result)
      context.trace.settle(operands[1 - main])
    } else if network.extendsFeature(node), layers[index] == nil {
      context.trace.advance(operands[0], to: result)
    } else {
      for operand in operands { context.trace.settle(operand) }
    }
    if let layer = layers[index] {
      context.trace.declare(
        name: layer.name, kind: layer.kind, weight: layer.weight, bias: layer.bias,
        output: result)
    }
  }

  /// Whether a node reads what a gate is for.
  private func beginsGate(_ node: Node, _ index: Int) -> Bool {
    guard paths.gates.contains(index), let x = node.operands.first else { return false }
    return definitions[x.index].map { !paths.gates.contains($0) } ?? true
  }

  private func declareTaps(_ values: [ValueID: ValueID], _ context: EmitContext) {
    let taps = network.graph.taps.compactMap { tap in values[tap.value].map { (tap.name, $0) } }
    let norms = network.graph.nodes.filter { $0.op == "batch_norm" }.map(norm)
    context.trace.declare(taps: taps, norms: norms)
  }

  private func norm(_ node: Node) -> NormInfo {
    let names = node.operands[1...4].map { network.names[$0] ?? "" }
    return NormInfo(gamma: names[0], beta: names[1], mean: names[2], variance: names[3])
  }
}

extension NetworkGraph {
  /// Whether a node's result is still the feature of the layer that made its first operand: batch
  /// norms, activations, gates and what else works element by element on one activation.
  fileprivate func extendsFeature(_ node: Node) -> Bool {
    let isElementwise = (try? OpRegistry.definition(node.op))?.fusion == .elementwise
    return node.op == "image_scale"
      || (isElementwise || node.op == "batch_norm")
        && !node.operands.isEmpty
        && node.operands.dropFirst().allSatisfy { graph.type($0).rank == 1 }
  }
}
