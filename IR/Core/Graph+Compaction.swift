extension Graph {
  /// The same graph without the values that no input and no node defines, the others renumbered in
  /// definition order: inputs first, then results, node by node.
  ///
  /// Graphs that passes return are compact, so that the numbers in their text have no gaps.
  /// Undefined values that are still referred to stay, behind all others, for the verifier to name.
  public func compacted() -> Graph {
    var order = inputs.map(\.value) + nodes.flatMap(\.results)
    if order.count == values.count, order.enumerated().allSatisfy({ $0 == $1.index }) {
      return self
    }
    order += nodes.flatMap(\.operands) + taps.map(\.value) + roots
    order += outputs.compactMap(\.updates) + (loop?.carries.map(\.input) ?? [])
    var number = [Int?](repeating: nil, count: values.count)
    var graph = self
    graph.values = []
    for value in order where values.indices.contains(value.index) && number[value.index] == nil {
      number[value.index] = graph.values.count
      graph.values.append(values[value.index])
    }
    graph.mapValues { value in
      values.indices.contains(value.index) ? number[value.index].map(ValueID.init) ?? value : value
    }
    return graph
  }

  /// Replaces every value, where it is defined and where it is read.
  mutating func mapValues(_ map: (ValueID) -> ValueID) {
    for index in inputs.indices { inputs[index].value = map(inputs[index].value) }
    for index in nodes.indices {
      nodes[index].operands = nodes[index].operands.map(map)
      nodes[index].results = nodes[index].results.map(map)
    }
    for index in taps.indices { taps[index].value = map(taps[index].value) }
    for index in outputs.indices {
      outputs[index].value = map(outputs[index].value)
      outputs[index].updates = outputs[index].updates.map(map)
    }
    loop = loop.map { loop in
      Loop(
        steps: loop.steps,
        carries: loop.carries.map {
          Carry(input: map($0.input), initial: map($0.initial), next: map($0.next))
        })
    }
  }
}
