import IR
import Kernels

extension LaneProgram {
  /// The loops of a region, and the pixels of an image that the full ones run over.
  ///
  /// Element-wise values are computed anew in every loop that needs them; only sums and what
  /// follows from them are kept. Full results are stored in the last full loop, so that they may
  /// take the place of operands.
  ///
  /// - Throws: IRError where the region has an operation that is unknown here.
  static func plan(_ region: Region) throws -> (program: LaneProgram, pixels: Int) {
    var planner = try LanePlanner(region.expanded())
    try planner.plan()
    return (planner.program, planner.pixels)
  }
}

private struct LanePlanner {
  let region: Region
  let layout: RegionLayout
  let pixels: Int
  private(set) var program: LaneProgram
  /// The scalar or row that keeps a value which earlier loops computed.
  private var kept: [ValueID: Int] = [:]
  /// The node of every value that is no parameter, and which of its results the value is.
  private var definition: [ValueID: (node: Int, result: Int)] = [:]
  private var unstored: Set<ValueID>

  init(_ region: Region) throws {
    self.region = region
    layout = try RegionLayout(region)
    let roles = layout.roles
    (pixels, program) = LanePlanner.rows(layout)
    program.roles =
      roles[..<region.parameterCount] + region.results.map { roles[$0.index] }
    unstored = Set(region.results)
    for (index, node) in region.nodes.enumerated() {
      for (place, result) in node.results.enumerated() { definition[result] = (index, place) }
    }
  }

  /// An image as rows of lanes: its pixels, or longer rows where nothing depends on the channel.
  private static func rows(_ layout: RegionLayout) -> (Int, LaneProgram) {
    let domain = layout.domain
    let elements = domain.count / domain.shape[0]
    let channels = domain.rank > 1 ? domain.channels : 1
    let byChannel =
      layout.roles.contains(.channel) || layout.roles.contains(.imageChannel)
      || (layout.roles.contains(.bits) && channels % 8 != 0)
    let length =
      byChannel ? channels : [256, 64].first { elements % $0 == 0 } ?? elements
    return (elements / length, LaneProgram(channels: length, roles: []))
  }

  mutating func plan() throws {
    while try valueLoop(.image) || valueLoop(.imageChannel) || fullLoop() {}
  }

  private func isReduction(_ node: Int) -> Bool {
    ["image_sum", "image_max", "image_channel_sum"].contains(region.nodes[node].op)
  }

  /// Whether a value can be computed in a loop over `space`.
  private func isAvailable(_ value: ValueID, in space: RegionRole) -> Bool {
    guard let (node, _) = definition[value], kept[value] == nil else { return true }
    return layout.spaces[node] == space && !isReduction(node)
      && region.nodes[node].operands.allSatisfy { isAvailable($0, in: space) }
  }

  /// Computes what an image, or each of its channels, has one of, and the sums over those.
  private mutating func valueLoop(_ space: RegionRole) throws -> Bool {
    var loop = LoopBuilder(self)
    var found: [ValueID: Int] = [:]
    for (index, node) in region.nodes.enumerated() where layout.spaces[index] == space {
      guard kept[node.results[0]] == nil, found[node.results[0]] == nil,
        node.operands.allSatisfy({ isAvailable($0, in: space) })
      else { continue }
      if isReduction(index) {
        found[node.results[0]] = try reduce(node, &loop)
      } else {
        let slot = newSlot(space)
        let value = try loop.step(of: node.results[0])
        loop.builder.step(
          space == .image ? CLAT_LANE_SET_SCALAR : CLAT_LANE_SET_ROW, value, index: slot)
        found[node.results[0]] = slot
      }
    }
    let ready = unstored.filter { layout.roles[$0.index] == space && isAvailable($0, in: space) }
    try store(ready, &loop)
    guard !found.isEmpty || !ready.isEmpty else { return false }
    kept.merge(found) { _, new in new }
    program.loops.append(LaneProgram.Loop(space: space, steps: loop.builder.steps))
    return true
  }

  /// All sums over pixels that can be taken now; and the full results, if no other sums follow.
  private mutating func fullLoop() throws -> Bool {
    var loop = LoopBuilder(self)
    var found: [ValueID: Int] = [:]
    var isLast = true
    for (index, node) in region.nodes.enumerated()
    where layout.spaces[index] == .full && isReduction(index) && kept[node.results[0]] == nil {
      if isAvailable(node.operands[0], in: .full) {
        found[node.results[0]] = try reduce(node, &loop)
      } else {
        isLast = false
      }
    }
    let results = unstored.filter { [.full, .bits].contains(layout.roles[$0.index]) }
    if isLast, results.allSatisfy({ isAvailable($0, in: .full) }) {
      try store(results, &loop)
    }
    guard !loop.builder.steps.isEmpty else { return false }
    kept.merge(found) { _, new in new }
    program.loops.append(LaneProgram.Loop(space: .full, steps: loop.builder.steps))
    return true
  }

  private mutating func newSlot(_ space: RegionRole) -> Int {
    if space == .image {
      program.scalars += 1
      return program.scalars - 1
    }
    program.rows += 1
    return program.rows - 1
  }

  private mutating func reduce(_ node: Node, _ loop: inout LoopBuilder) throws -> Int {
    let value = try loop.step(of: node.operands[0])
    let slot = newSlot(node.op == "image_channel_sum" ? .imageChannel : .image)
    let ops = [
      "image_sum": CLAT_LANE_SUM, "image_max": CLAT_LANE_TOP,
      "image_channel_sum": CLAT_LANE_SUM_ROW,
    ]
    loop.builder.step(ops[node.op]!, value, index: slot)
    return slot
  }

  /// Stores follow all loads, because a result may take the place of any operand.
  private mutating func store(_ values: Set<ValueID>, _ loop: inout LoopBuilder) throws {
    for value in values.sorted() { _ = try loop.step(of: value) }
    for (place, result) in region.results.enumerated() where values.contains(result) {
      loop.builder.step(
        CLAT_LANE_STORE, try loop.step(of: result), index: region.parameterCount + place)
    }
    unstored.subtract(values)
  }

  /// One loop in the making.
  struct LoopBuilder {
    let planner: LanePlanner
    var builder = LaneBuilder()
    private var known: [ValueID: Int] = [:]

    init(_ planner: LanePlanner) { self.planner = planner }

    mutating func step(of value: ValueID) throws -> Int {
      if let step = known[value] { return step }
      guard let (index, place) = planner.definition[value] else {
        return remember(value, builder.step(CLAT_LANE_LOAD, index: value.index))
      }
      if let slot = planner.kept[value] {
        let isScalar = planner.layout.roles[value.index] == .image
        return remember(
          value, builder.step(isScalar ? CLAT_LANE_SCALAR : CLAT_LANE_ROW, index: slot))
      }
      let node = planner.region.nodes[index]
      guard let rule = LaneRules.all[node.op] else {
        throw IRError("\(node.op) cannot be fused: it has no rule for lanes")
      }
      var operands: [Int] = []
      for operand in node.operands { operands.append(try step(of: operand)) }
      let results = try rule(&builder, node.attributes, operands)
      for (result, step) in zip(node.results, results) { known[result] = step }
      return results[place]
    }

    private mutating func remember(_ value: ValueID, _ step: Int) -> Int {
      known[value] = step
      return step
    }
  }
}
