import IR

extension Program {
  /// Divides every instruction's units evenly; thread t gets units units * t / threads ..< units *
  /// (t + 1) / threads.
  mutating func partition(threads: Int) {
    for index in instructions.indices {
      let units = instructions[index].units
      instructions[index].bounds = (0...threads).map { Int64(units * $0 / threads) }
    }
  }

  /// Bytes from the arena's start to where buffer `buffer` would begin for a thread if all units
  /// before the thread's own were there too; nil for what is not in the threads' regions. Kernels
  /// address units from the first one on.
  func regionShift(_ buffer: Int, thread: Int) -> Int? {
    guard case .region(let offset) = buffers[buffer].placement else { return nil }
    let first = regions.units * thread / threads
    let count = regions.units * (thread + 1) / threads - first
    return regions.start + first * regions.bytesPerUnit + offset * count
      - first * (buffers[buffer].bytes / regions.units)
  }

  /// Marks the instructions before which all threads must meet: those that touch what another
  /// thread may still be writing or reading.
  ///
  /// Between sections threads meet anyway. A loop is walked twice, because its next iteration
  /// begins while slow threads are still in this one.
  mutating func placeBarriers() {
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
