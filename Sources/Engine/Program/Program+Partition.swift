import IR

extension Program {
  /// Divides every instruction's units evenly: of n slices, slice s gets units units * s / n ..< units *
  /// (s + 1) / n, so that a thread has the same units whatever the number of its slices.
  mutating func partition() {
    for segment in segments {
      let slices = threads * segment.rounds
      for index in segment.instructions {
        let units = instructions[index].units
        instructions[index].bounds = (0...slices).map { Int64(units * $0 / slices) }
      }
    }
  }

  /// Bytes from the arena's start to where a buffer would begin for a slice of an instruction if all
  /// units before those in the region were there too; nil for what is not in the threads' regions.
  /// Kernels address units from the first one on.
  func regionShift(_ buffer: Int, _ instruction: Instruction, slice: Int) -> Int? {
    guard case .region(let offset, let bySlice) = buffers[buffer].placement else { return nil }
    let rounds = (instruction.bounds.count - 1) / threads
    let thread = slice / rounds
    let first = Int(instruction.bounds[bySlice ? slice : thread * rounds])
    return regions.start + thread * regions.bytesPerThread + offset
      - first * (buffers[buffer].bytes / regions.units)
  }

  /// Marks the instructions before which all threads must meet: those that touch what another
  /// thread may still be writing or reading.
  ///
  /// Between sections threads meet anyway. A loop is walked twice, because its next iteration
  /// begins while slow threads are still in this one.
  mutating func placeBarriers() {
    for index in instructions.indices { instructions[index].barrier = false }
    for section in sections {
      var pending: [Int] = []
      for _ in 0..<min(section.repeats, 2) {
        for index in section.instructions {
          if pending.contains(where: { conflicts($0, index) }) {
            instructions[index].barrier = true
          }
          if instructions[index].barrier { pending = [] }
          pending.append(index)
        }
      }
    }
  }

  private func conflicts(_ earlier: Int, _ later: Int) -> Bool {
    let (a, b) = (instructions[earlier], instructions[later])
    return a.operands.contains { first in
      b.operands.contains { second in
        guard first.access.writes || second.access.writes, overlap(first.buffer, second.buffer)
        else { return false }
        let sameSlices = first.sliced && second.sliced && a.units == b.units
        return !(sameSlices && first.buffer == second.buffer)
      }
    }
  }

  /// The bytes of the arena that a buffer, or the regions it is in, take up.
  func sharedExtent(_ buffer: Int) -> Range<Int>? {
    switch buffers[buffer].placement {
    case .arena(let offset): offset..<offset + buffers[buffer].bytes
    case .region: regions.start..<regions.start + regions.bytes
    case .external, .constant: nil
    }
  }

  /// Whether two buffers share bytes that more than one thread touches.
  private func overlap(_ first: Int, _ second: Int) -> Bool {
    switch (buffers[first].placement, buffers[second].placement) {
    case (.region, .region): return false
    case (.region, _), (_, .region), (.arena, .arena):
      guard let a = sharedExtent(first), let b = sharedExtent(second) else { return false }
      return a.overlaps(b)
    default: return first == second
    }
  }
}
