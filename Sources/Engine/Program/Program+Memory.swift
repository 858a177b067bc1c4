import IR

extension Program {
  /// Gives every arena buffer a lifetime and an offset.
  ///
  /// What a section leaves for a later one lives to the end of the last section that reads it,
  /// because that may be a loop. Values of stage `weights` that later sections read live always:
  /// the section `weights` does not run again while the parameters stay.
  mutating func planMemory(persistent: Set<Int>, temporaries: [Int: ClosedRange<Int>]) {
    for (buffer, lifetime) in lifetimes(persistent: persistent) {
      buffers[buffer].lifetime = temporaries[buffer] ?? lifetime
    }
    let planned = buffers.indices.filter { buffers[$0].lifetime != nil }
    let plan = MemoryPlan(
      planned.map { MemoryPlan.Request(bytes: buffers[$0].bytes, lifetime: buffers[$0].lifetime!) })
    for (buffer, offset) in zip(planned, plan.offsets) {
      buffers[buffer].placement = .arena(offset: offset)
    }
    arenaBytes = plan.arenaBytes
    lowerBound = plan.lowerBound
  }

  private func lifetimes(persistent: Set<Int>) -> [Int: ClosedRange<Int>] {
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
          let last = crosses ? section.instructions.upperBound - 1 : index
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
