import IR

extension Program {
  /// Gives every arena buffer a lifetime and an offset.
  ///
  /// What a loop reads of what sections before it left lives to the loop's end. Values of stage
  /// `weights` that later sections read live always: the section `weights` does not run again while
  /// the parameters stay.
  mutating func planMemory() {
    for index in buffers.indices {
      if case .region = buffers[index].placement { buffers[index].placement = .arena(offset: 0) }
    }
    for (buffer, lifetime) in lifetimes() { buffers[buffer].lifetime = lifetime }
    let planned = buffers.indices.filter { buffers[$0].lifetime != nil }
    let (units, owned) = ownedBuffers(planned)
    // What outlives the loop may need too much room to be apart for all of the time.
    for owned in [owned, owned.filter(livesInLoop)]
    where !owned.isEmpty && placeRegions(owned, units: units, among: planned) { return }
    regions = Regions(units: 0, threads: 0, bytesPerThread: 0, start: 0)
    let plan = MemoryPlan(planned.map { request($0) })
    lowerBound = plan.lowerBound
    place(planned, plan)
  }

  private func livesInLoop(_ buffer: Int) -> Bool {
    guard let lifetime = buffers[buffer].lifetime else { return false }
    return sections.contains {
      $0.repeats > 1 && $0.instructions.contains(lifetime.lowerBound)
        && $0.instructions.contains(lifetime.upperBound)
    }
  }

  /// Places the owned buffers in regions of threads and the others beside them, unless that makes
  /// the arena much larger.
  private mutating func placeRegions(_ owned: [Int], units: Int, among planned: [Int]) -> Bool {
    let bySlice = Set(owned.filter { microBatches(around: buffers[$0].lifetime!) != nil })
    for buffer in planned where !bySlice.contains(buffer) { outliveMicroBatches(buffer) }
    /// Bytes of a thread's part.
    func part(_ buffer: Int) -> Int {
      let rounds = bySlice.contains(buffer) ? microBatches(around: buffers[buffer].lifetime!)! : 1
      let slices = threads * rounds
      return (units + slices - 1) / slices * (buffers[buffer].bytes / units)
    }
    let isOwned = Set(owned)
    let shared = planned.filter { !isOwned.contains($0) }
    let inner = MemoryPlan(owned.map { request($0, bytes: part($0)) })
    let whole = MemoryPlan(
      shared.map { request($0) } + owned.map { request($0, bytes: threads * part($0)) })
    let lifetimes = owned.map { buffers[$0].lifetime! }
    // All regions together are one buffer among the shared ones.
    regions = Regions(
      units: units, threads: threads, bytesPerThread: inner.arenaBytes, start: 0,
      lifetime: lifetimes.map(\.lowerBound).min()!...lifetimes.map(\.upperBound).max()!)
    let all = MemoryPlan.Request(bytes: regions.bytes, lifetime: regions.lifetime)
    let outer = MemoryPlan(shared.map { request($0) } + [all])
    guard outer.arenaBytes <= whole.arenaBytes + Program.regionSlack(whole.arenaBytes) else {
      return false
    }
    lowerBound = whole.lowerBound
    regions.start = outer.offsets.last!
    place(shared, outer)
    for (buffer, offset) in zip(owned, inner.offsets) {
      buffers[buffer].placement = .region(offset: offset, bySlice: bySlice.contains(buffer))
    }
    return true
  }

  /// By how many bytes the arena may grow for threads to have regions of their own.
  private static func regionSlack(_ arenaBytes: Int) -> Int { max(arenaBytes / 50, 1 << 20) }

  private func request(_ buffer: Int, bytes: Int? = nil) -> MemoryPlan.Request {
    MemoryPlan.Request(
      bytes: bytes ?? buffers[buffer].bytes, lifetime: buffers[buffer].lifetime!)
  }

  private mutating func place(_ shared: [Int], _ plan: MemoryPlan) {
    arenaBytes = plan.arenaBytes
    for (buffer, offset) in zip(shared, plan.offsets) {
      buffers[buffer].placement = .arena(offset: offset)
    }
  }

  /// The rounds of the segment of micro-batches that a lifetime lies in, if it does in one.
  private func microBatches(around lifetime: ClosedRange<Int>) -> Int? {
    segments.first {
      $0.rounds > 1 && $0.instructions.contains(lifetime.lowerBound)
        && $0.instructions.contains(lifetime.upperBound)
    }?.rounds
  }

  /// What holds more than a micro-batch lives for all rounds of the segments that touch it.
  private mutating func outliveMicroBatches(_ buffer: Int) {
    var (first, last) = (buffers[buffer].lifetime!.lowerBound, buffers[buffer].lifetime!.upperBound)
    for segment in segments where segment.rounds > 1 {
      if segment.instructions.contains(first) { first = segment.instructions.lowerBound }
      if segment.instructions.contains(last) { last = segment.instructions.upperBound - 1 }
    }
    buffers[buffer].lifetime = first...last
  }

  /// The buffers of which every thread touches only the part of its own units, always the same, and
  /// the number of these units: the one that makes the most bytes private.
  private func ownedBuffers(_ planned: [Int]) -> (units: Int, buffers: [Int]) {
    var units: [Int: Int] = [:]
    var excluded = persistent
    for section in sections {
      for instruction in instructions[section.instructions] {
        for operand in instruction.operands {
          let known = units[operand.buffer] ?? instruction.units
          units[operand.buffer] = known
          // Filters are divided too, but live next to what all threads read.
          if !operand.sliced || known != instruction.units || section.stage.precedesBatch
            || buffers[operand.buffer].bytes % max(known, 1) != 0
          {
            excluded.insert(operand.buffer)
          }
        }
      }
    }
    let candidates = planned.filter { !excluded.contains($0) && units[$0] ?? 0 > 0 }
    let groups = Dictionary(grouping: candidates) { units[$0]! }
    let best = groups.max { a, b in
      func bytes(_ group: [Int]) -> Int { group.reduce(0) { $0 + buffers[$1].bytes } }
      return (bytes(a.value), a.key) < (bytes(b.value), b.key)
    }
    return best.map { ($0.key, $0.value) } ?? (1, [])
  }

  private func lifetimes() -> [Int: ClosedRange<Int>] {
    let end = max(instructions.count - 1, 0)
    var result: [Int: ClosedRange<Int>] = [:]
    var firstSection: [Int: Int] = [:]
    for (sectionIndex, section) in sections.enumerated() {
      for index in section.instructions {
        for operand in instructions[index].operands {
          guard case .arena = buffers[operand.buffer].placement else { continue }
          let first = firstSection[operand.buffer] ?? sectionIndex
          firstSection[operand.buffer] = first
          let start = result[operand.buffer]?.lowerBound ?? index
          let crosses = first < sectionIndex
          let isLooped = crosses && section.repeats > 1
          let last = isLooped ? section.instructions.upperBound - 1 : index
          let always = crosses && sections[first].stage == .weights
          result[operand.buffer] =
            always ? 0...end : start...max(last, result[operand.buffer]?.upperBound ?? 0)
        }
      }
    }
    for buffer in persistent {
      guard let known = result[buffer] else { continue }
      let always = firstSection[buffer].map { sections[$0].stage == .weights } ?? false
      result[buffer] = (always ? 0 : known.lowerBound)...end
    }
    return result
  }
}
