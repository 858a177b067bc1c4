import IR

/// Which values share a buffer: in-place results, views, slices of a concatenation, loop-carried
/// values and parameter updates.
///
/// A result takes its operand's buffer where the operation allows it and nothing reads the operand
/// afterwards. A part of a concatenation is written where the concatenation wants it, and a slice
/// is read where it lies, if every kernel that touches it can step over the other channels.
struct BufferAssignment {
  /// Where a value is: channels from `start` on of the value whose buffer it is in.
  struct Place: Equatable {
    var base: ValueID
    var start = 0
  }

  /// For a value without a buffer of its own, the value it is in.
  private var parent: [ValueID: Place] = [:]
  /// By value with a buffer of its own, the others in it.
  private var guests: [ValueID: [ValueID]] = [:]
  /// Copies that end the section of a stage: carried values that could not be computed in place,
  /// and updates.
  private(set) var copies: [(stage: Stage, from: ValueID, to: ValueID)] = []
  private let graph: Graph
  private let order: [Node]
  private var lastRead: [ValueID: Int] = [:]
  private let pinned: Set<ValueID>
  private let external: Set<ValueID>
  private let constants: Set<ValueID>
  /// Values that some kernel takes only with their pixels side by side.
  private let dense: Set<ValueID>

  /// - Parameter code: the kernel calls of the nodes, in the same order.
  init(_ graph: Graph, order: [Node], code: [NodeCode]) throws {
    self.graph = graph
    self.order = order
    constants = Set(code.flatMap(\.constants).map(\.result))
    external = Set(graph.inputs.filter { $0.role != .carried }.map(\.value))
    pinned = Set(graph.roots).union(graph.loop?.carries.map(\.input) ?? [])
    dense = BufferAssignment.denseValues(code)
    for (index, node) in order.enumerated() {
      for operand in node.operands { lastRead[operand] = index }
    }
    for (index, node) in order.enumerated() { try place(node, code[index], at: index) }
    connectCarries()
    connectUpdates()
  }

  func place(of value: ValueID) -> Place {
    var place = Place(base: value)
    while let next = parent[place.base] {
      place = Place(base: next.base, start: place.start + next.start)
    }
    return place
  }

  func buffer(of value: ValueID) -> ValueID { place(of: value).base }

  /// Whether a move has nothing to do, because the part is where it would be moved.
  func isInPlace(_ move: ChannelMove) -> Bool {
    let whole = place(of: move.whole)
    return place(of: move.part) == Place(base: whole.base, start: whole.start + move.start)
  }

  private static func denseValues(_ code: [NodeCode]) -> Set<ValueID> {
    // An alias has another shape, in which its operand's pixels must lie without gaps.
    var dense = Set(code.flatMap(\.aliases).flatMap { [$0.result, $0.operand] })
    for operand in code.flatMap(\.calls).flatMap(\.operands) where !operand.isStrided {
      if case .value(let value) = operand.reference { dense.insert(value) }
    }
    return dense
  }

  private mutating func place(_ node: Node, _ code: NodeCode, at index: Int) throws {
    for (result, operand) in code.aliases { share(result, Place(base: operand)) }
    for move in code.calls.compactMap(\.move) { placeInside(move) }
    guard code.aliases.isEmpty else { return }
    var taken = Set<ValueID>()
    let rules = try node.inPlace().filter {
      $0.result < node.results.count && $0.operand < node.operands.count
    }
    let pairs = rules.map { (node.results[$0.result], node.operands[$0.operand]) } + code.inPlace
    for (result, operand) in pairs
    where parent[result] == nil && !taken.contains(buffer(of: operand))
      && mayOverwrite(operand, of: node, at: index, result: result)
    {
      taken.insert(buffer(of: operand))
      share(result, Place(base: operand))
    }
  }

  /// Lets a value, and what shares its buffer, live in that of another.
  private mutating func share(_ value: ValueID, _ place: Place) {
    parent[value] = place
    guests[buffer(of: value), default: []] += [value] + (guests.removeValue(forKey: value) ?? [])
  }

  /// The values in a buffer, its own among them.
  private func residents(_ base: ValueID) -> [ValueID] { [base] + (guests[base] ?? []) }

  /// Places the part of a move inside the whole, where that changes no result.
  private mutating func placeInside(_ move: ChannelMove) {
    let base = buffer(of: move.part)
    let moved = residents(base)
    guard base != buffer(of: move.whole), graph.type(base) == graph.type(move.part),
      graph.type(move.part).rank > 1,
      graph.stage(move.part) == graph.stage(move.whole),
      !external.contains(buffer(of: move.whole)), moved.allSatisfy(mayBeStrided)
    else { return }
    share(base, Place(base: move.whole, start: move.start))
  }

  private func mayBeStrided(_ value: ValueID) -> Bool {
    !(dense.contains(value) || pinned.contains(value) || external.contains(value)
      || constants.contains(value))
  }

  private func mayOverwrite(
    _ operand: ValueID, of node: Node, at index: Int, result: ValueID
  ) -> Bool {
    let place = place(of: operand)
    let sharers = residents(place.base).filter { overlaps($0, place, graph.type(operand)) }
    guard graph.type(operand) == graph.type(result),
      sharers.allSatisfy({ lastRead[$0] ?? -1 <= index }),
      node.operands.count(where: sharers.contains) == 1,
      mayBeStrided(result) || graph.type(place.base).channels == graph.type(result).channels
    else { return false }
    let carry = graph.loop?.carries.first { $0.input == place.base }
    if let carry { return carry.next == result }
    if external.contains(place.base) {
      return graph.outputs.contains { $0.value == result && $0.updates == operand }
    }
    return !sharers.contains(where: pinned.contains)
      && graph.stage(place.base) == graph.stage(result) && !constants.contains(place.base)
  }

  /// Whether a value has channels in common with a tensor of `type` at `place` in the same buffer.
  private func overlaps(_ value: ValueID, _ other: Place, _ type: TensorType) -> Bool {
    let start = place(of: value).start
    return start < other.start + type.channels
      && other.start < start + graph.type(value).channels
  }

  private mutating func connectCarries() {
    for carry in graph.loop?.carries ?? [] {
      if buffer(of: carry.next) != carry.input { copies.append((.step, carry.next, carry.input)) }
      let isPrivate =
        lastRead[carry.initial] == nil && parent[carry.initial] == nil
        && !external.contains(carry.initial)
        && !graph.outputs.contains { $0.value == carry.initial }
        && graph.stage(carry.initial) == .batch
      if isPrivate {
        share(carry.initial, Place(base: carry.input))
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
