/// Moves element-wise work into the epilogue of the operation that produces its operand, so that it
/// is done while the tile is in registers. What finds no producer becomes a `pointwise` node,
/// itself a chain.
func fuseEpilogues(_ graph: Graph) throws -> Graph {
  var fusion = EpilogueFusion(graph)
  fusion.convertToPointwise()
  while try fusion.mergeOnce() {}
  fusion.maskBatchNormGradients()
  return try eliminateDead(fusion.graph.topologicallySorted())
}

private struct EpilogueFusion {
  var graph: Graph

  init(_ graph: Graph) { self.graph = graph }

  /// Element-wise nodes as epilogues of x.
  mutating func convertToPointwise() {
    let parts: [String: Epilogue] = [
      "affine": [.scale, .shift], "channel_scale": .scale, "bias_add": .shift, "add": .residual,
      "relu": .relu, "relu_bits": [.relu, .bits], "mask": .mask,
    ]
    for index in graph.nodes.indices {
      guard let epilogue = parts[graph.nodes[index].op] else { continue }
      // A sum of vectors or filters is no activation; it stays as it is.
      if epilogue == .residual, graph.type(graph.nodes[index].results[0]).rank == 1 { continue }
      graph.nodes[index].op = "pointwise"
      graph.nodes[index].attributes = ["epilogue": epilogue.attribute]
    }
  }

  /// Merges pointwise nodes into their producers until nothing changes; false when nothing did.
  mutating func mergeOnce() throws -> Bool {
    let reads = graph.readCounts
    let definitions = graph.definitions
    var merged = Set<Int>()
    var touched = Set<Int>()
    for (index, consumer) in graph.nodes.enumerated() where consumer.op == "pointwise" {
      for (slot, operand) in candidates(consumer) {
        guard let producer = definitions[operand.index], reads[operand.index] == 1,
          !touched.contains(producer), !touched.contains(index),
          let fused = try merge(graph.nodes[producer], consumer, slot: slot)
        else { continue }
        graph.nodes[index] = fused
        merged.insert(producer)
        touched.formUnion([producer, index])
        break
      }
    }
    graph.nodes = graph.nodes.enumerated().filter { !merged.contains($0.offset) }.map(\.element)
    if !merged.isEmpty { graph = try graph.topologicallySorted() }
    return !merged.isEmpty
  }

  /// The operands through which a producer may be absorbed: x, or the residual of a plain sum,
  /// latest first.
  private func candidates(_ node: Node) -> [(slot: Int, operand: ValueID)] {
    let epilogue = (try? Epilogue.of(node.attributes)) ?? []
    guard !epilogue.contains(.scale), !epilogue.contains(.shift),
      let residual = epilogue.operandIndex(.residual, base: 1)
    else { return [(0, node.operands[0])] }
    let slots = node.operands[0] > node.operands[residual] ? [0, residual] : [residual, 0]
    return slots.map { (slot: $0, operand: node.operands[$0]) }
  }

  /// The operations that have an epilogue, the index of its first operand, and the parts it may
  /// hold.
  private func capability(_ op: String) -> (base: Int, parts: Epilogue)? {
    switch op {
    case "conv2d", "conv2d_input_grad", "linear", "linear_input_grad":
      (2, [.shift, .residual, .relu, .bits, .mask, .sum])
    case "batch_norm": (5, [.residual, .relu, .bits])
    case "pointwise": (1, [.scale, .shift, .residual, .relu, .bits, .mask])
    default: nil
    }
  }

  private func merge(_ producer: Node, _ consumer: Node, slot: Int) throws -> Node? {
    guard let (base, parts) = capability(producer.op) else { return nil }
    let first = try Epilogue.of(producer.attributes)
    var second = try Epilogue.of(consumer.attributes)
    if second == .residual, first.contains(.mask), !first.contains(.residual),
      producer.attributes.int("groups") <= 1
    {
      second = .sum
    }
    guard second.isSubset(of: parts), first.precedes(second),
      graph.stage(producer.results[0]) == graph.stage(consumer.results[0]),
      graph.type(producer.results[0]) == graph.type(consumer.results[0])
    else { return nil }
    var extra = Array(consumer.operands.dropFirst())
    if slot > 0 { extra[slot - 1] = consumer.operands[0] }
    var node = producer
    node.operands = Array(producer.operands[..<base]) + producer.operands[base...] + extra
    node.attributes["epilogue"] = first.union(second).attribute
    node.results =
      [consumer.results[0]] + producer.results.dropFirst() + consumer.results.dropFirst()
    return node
  }

  /// pointwise{mask} read only by a batch norm's gradient: the bits go there.
  mutating func maskBatchNormGradients() {
    let reads = graph.readCounts
    let definitions = graph.definitions
    for index in graph.nodes.indices where graph.nodes[index].op == "batch_norm_grad" {
      let dy = graph.nodes[index].operands[0]
      guard reads[dy.index] == 1, let producer = definitions[dy.index],
        graph.nodes[producer].op == "pointwise",
        graph.nodes[producer].attributes.string("epilogue") == Epilogue.mask.text,
        graph.nodes[index].attributes.string("epilogue").isEmpty
      else { continue }
      graph.nodes[index].operands[0] = graph.nodes[producer].operands[0]
      graph.nodes[index].operands.append(graph.nodes[producer].operands[1])
      graph.nodes[index].attributes["epilogue"] = Epilogue.mask.attribute
    }
  }
}

extension Epilogue {
  /// Whether every part of `later` comes after every part of this one, so that the two are one
  /// epilogue.
  fileprivate func precedes(_ later: Epilogue) -> Bool {
    if isEmpty || later.isEmpty { return true }
    if contains(.relu) || contains(.sum) { return false }
    if contains(.mask) || later.contains(.sum) { return contains(.mask) && later == .sum }
    return rawValue < (later.rawValue & -later.rawValue)
  }
}
