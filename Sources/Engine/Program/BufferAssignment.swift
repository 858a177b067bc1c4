import IR

/// Which values share a buffer: in-place results, views, loop-carried values and parameter updates.
///
/// A result takes its operand's buffer where the operation allows it and nothing reads the operand
/// afterwards.
struct BufferAssignment {
  /// For a value without a buffer of its own, the value whose buffer it shares.
  private var root: [ValueID: ValueID] = [:]
  /// Copies that end the section of a stage: carried values that could not be computed in place,
  /// and updates.
  private(set) var copies: [(stage: Stage, from: ValueID, to: ValueID)] = []
  private let graph: Graph
  private let order: [Node]
  private var lastRead: [ValueID: Int] = [:]
  private var pinned: Set<ValueID>
  private let external: Set<ValueID>
  private let constants: Set<ValueID>

  /// - Parameter code: the kernel calls of the nodes, in the same order.
  init(_ graph: Graph, order: [Node], code: [NodeCode]) throws {
    self.graph = graph
    self.order = order
    constants = Set(code.flatMap(\.constants).map(\.result))
    external = Set(graph.inputs.filter { $0.role != .carried }.map(\.value))
    pinned = Set(graph.roots).union(graph.loop?.carries.map(\.input) ?? [])
    for (index, node) in order.enumerated() {
      for operand in node.operands { lastRead[operand] = index }
    }
    try aliasViewsAndInPlace(code)
    connectCarries()
    connectUpdates()
  }

  func buffer(of value: ValueID) -> ValueID {
    var value = value
    while let next = root[value] { value = next }
    return value
  }

  private mutating func aliasViewsAndInPlace(_ code: [NodeCode]) throws {
    for (index, node) in order.enumerated() {
      for (result, operand) in code[index].aliases { share(result, with: operand) }
      guard code[index].aliases.isEmpty else { continue }
      var taken = Set<ValueID>()
      for (result, operand) in try node.inPlace()
      where result < node.results.count && operand < node.operands.count {
        let (result, operand) = (node.results[result], node.operands[operand])
        if root[result] == nil, !taken.contains(buffer(of: operand)),
          mayOverwrite(operand, at: index, result: result)
        {
          taken.insert(buffer(of: operand))
          share(result, with: operand)
        }
      }
    }
  }

  /// Makes `result` live in the buffer of `operand`, which then is read as long as either is.
  private mutating func share(_ result: ValueID, with operand: ValueID) {
    let base = buffer(of: operand)
    root[result] = base
    lastRead[base] = max(lastRead[base] ?? -1, lastRead[result] ?? -1)
    if pinned.contains(result) { pinned.insert(base) }
  }

  private func mayOverwrite(_ operand: ValueID, at index: Int, result: ValueID) -> Bool {
    let base = buffer(of: operand)
    guard graph.type(operand) == graph.type(result), lastRead[base] == index else { return false }
    let carry = graph.loop?.carries.first { $0.input == base }
    if let carry { return carry.next == result }
    if external.contains(base) {
      return graph.outputs.contains { $0.value == result && $0.updates == operand }
    }
    return !pinned.contains(base) && graph.stage(base) == graph.stage(result)
      && !constants.contains(base)
  }

  private mutating func connectCarries() {
    for carry in graph.loop?.carries ?? [] {
      if buffer(of: carry.next) != carry.input { copies.append((.step, carry.next, carry.input)) }
      let isPrivate =
        lastRead[carry.initial] == nil && root[carry.initial] == nil
        && !external.contains(carry.initial)
        && !graph.outputs.contains { $0.value == carry.initial }
        && graph.stage(carry.initial) == .batch
      if isPrivate {
        root[carry.initial] = carry.input
      } else {
        copies.append((.batch, carry.initial, carry.input))
      }
    }
  }

  private mutating func connectUpdates() {
    let last = order.last.flatMap { $0.results.first.flatMap { graph.stage($0) } } ?? .batch
    for output in graph.outputs {
      guard let input = output.updates, buffer(of: output.value) != input else { continue }
      copies.append((last, output.value, input))
    }
  }
}
