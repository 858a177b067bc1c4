import IR

extension Program {
  /// Checks that buffers that live at the same time do not overlap, that every buffer lies in the
  /// arena, that nothing is read before it is written, and that every instruction's units are
  /// divided completely.
  ///
  /// - Throws: IRError naming the buffer or instruction.
  public func verify() throws {
    try verifyMemory()
    try verifyDataflow()
    for (index, instruction) in instructions.enumerated() {
      guard instruction.bounds.count == threads + 1, instruction.bounds.first == 0,
        instruction.bounds.last == Int64(instruction.units),
        zip(instruction.bounds, instruction.bounds.dropFirst()).allSatisfy({ $0 <= $1 })
      else {
        throw IRError("instruction \(index) (\(instruction.kernel)) is not divided completely")
      }
    }
  }

  private func verifyMemory() throws {
    let placed = buffers.filter { $0.lifetime != nil }
    for (index, buffer) in placed.enumerated() {
      guard case .arena(let offset) = buffer.placement, let lifetime = buffer.lifetime else {
        continue
      }
      guard offset >= 0, offset % MemoryPlan.alignment == 0, offset + buffer.bytes <= arenaBytes
      else { throw IRError("buffer \(buffer.name) lies outside the arena") }
      for other in placed[..<index] {
        guard case .arena(let start) = other.placement, let span = other.lifetime,
          span.overlaps(lifetime), offset < start + other.bytes, start < offset + buffer.bytes
        else { continue }
        throw IRError("buffers \(buffer.name) and \(other.name) overlap in time and memory")
      }
    }
  }

  private func verifyDataflow() throws {
    var written = Set<Int>()
    for (index, buffer) in buffers.enumerated() {
      if case .arena = buffer.placement { continue }
      written.insert(index)
    }
    for (index, instruction) in instructions.enumerated() {
      for operand in instruction.operands where operand.access != .out {
        guard written.contains(operand.buffer) else {
          throw IRError(
            "instruction \(index) (\(instruction.kernel)) reads \(buffers[operand.buffer].name) "
              + "before it is written")
        }
      }
      written.formUnion(instruction.operands.filter { $0.access != .in }.map(\.buffer))
    }
  }
}
