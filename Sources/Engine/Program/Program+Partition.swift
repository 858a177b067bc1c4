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

  /// Marks the instructions before which all threads must meet: those that touch what another
  /// thread may still be writing or reading.
  ///
  /// Between sections, and between the iterations of a loop, threads meet anyway.
  mutating func placeBarriers() {
    for section in sections {
      var pending: [Int] = []
      for index in section.instructions {
        instructions[index].barrier = pending.contains { conflicts($0, index) }
        if instructions[index].barrier { pending = [] }
        pending.append(index)
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

  /// Whether two buffers share bytes.
  private func overlap(_ first: Int, _ second: Int) -> Bool {
    if first == second { return true }
    guard case .arena(let a) = buffers[first].placement,
      case .arena(let b) = buffers[second].placement
    else { return false }
    return a < b + buffers[second].bytes && b < a + buffers[first].bytes
  }
}
