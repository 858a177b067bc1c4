import Foundation
import IR

extension Program {
  /// Checks that buffers that live at the same time do not overlap, that every buffer lies in the
  /// arena, that nothing is read before it is written, that no thread touches another's region, and
  /// that every instruction's units are divided completely.
  ///
  /// - Throws: IRError naming the buffer or instruction.
  public func verify() throws {
    try verifyMemory()
    try verifyDataflow()
    try verifyRegions()
    for segment in segments {
      for index in segment.instructions { try verifySlices(index, rounds: segment.rounds) }
    }
  }

  private func verifySlices(_ index: Int, rounds: Int) throws {
    let instruction = instructions[index]
    guard instruction.bounds.count == threads * rounds + 1, instruction.bounds.first == 0,
      instruction.bounds.last == Int64(instruction.units),
      zip(instruction.bounds, instruction.bounds.dropFirst()).allSatisfy({ $0 <= $1 })
    else {
      throw IRError("instruction \(index) (\(instruction.kernel)) is not divided completely")
    }
  }

  /// What is shared by threads and all regions together, then what is in a thread's region.
  private func verifyMemory() throws {
    var shared: [Extent] = []
    var owned: [Extent] = []
    for buffer in buffers {
      guard let lifetime = buffer.lifetime else { continue }
      switch buffer.placement {
      case .arena(let offset):
        shared.append((buffer.name, offset..<offset + buffer.bytes, lifetime))
      case .region(let offset, let bySlice):
        let bytes = try regionBytes(buffer, bySlice: bySlice)
        owned.append((buffer.name, offset..<offset + bytes, lifetime))
        guard regions.lifetime.contains(lifetime) else {
          throw IRError("buffer \(buffer.name) outlives the regions of threads")
        }
      case .external, .constant: continue
      }
    }
    if regions.bytes > 0 {
      let end = regions.start + regions.bytes
      shared.append(("the regions of threads", regions.start..<end, regions.lifetime))
    }
    try Program.verify(shared, within: arenaBytes)
    try Program.verify(owned, within: regions.bytesPerThread)
  }

  /// Bytes of a thread's part of a buffer, or of its largest slice.
  private func regionBytes(_ buffer: Buffer, bySlice: Bool) throws -> Int {
    var slices = threads
    if bySlice, let lifetime = buffer.lifetime {
      guard let segment = segments.first(where: { $0.instructions.contains(lifetime.lowerBound) }),
        segment.instructions.contains(lifetime.upperBound)
      else { throw IRError("buffer \(buffer.name) outlives the micro-batches it is in") }
      slices *= segment.rounds
    }
    return (regions.units + slices - 1) / slices * (buffer.bytes / regions.units)
  }

  private typealias Extent = (name: String, bytes: Range<Int>, lifetime: ClosedRange<Int>)

  private static func verify(_ extents: [Extent], within bytes: Int) throws {
    for (index, extent) in extents.enumerated() {
      guard extent.bytes.lowerBound % MemoryPlan.alignment == 0, extent.bytes.lowerBound >= 0,
        extent.bytes.upperBound <= bytes
      else { throw IRError("buffer \(extent.name) lies outside the arena") }
      let other = extents[..<index].first {
        $0.lifetime.overlaps(extent.lifetime) && $0.bytes.overlaps(extent.bytes)
      }
      if let other {
        throw IRError("buffers \(extent.name) and \(other.name) overlap in time and memory")
      }
    }
  }

  /// What is in the threads' regions is touched by slices of their units alone.
  private func verifyRegions() throws {
    for (index, instruction) in instructions.enumerated() {
      for operand in instruction.operands {
        guard case .region = buffers[operand.buffer].placement else { continue }
        guard operand.sliced, instruction.units == regions.units,
          buffers[operand.buffer].bytes % regions.units == 0
        else {
          throw IRError(
            "instruction \(index) (\(instruction.kernel)) touches all of "
              + "\(buffers[operand.buffer].name), which threads own by parts")
        }
      }
    }
  }

  /// Of a slab, only channels that have been written may be read.
  private func verifyDataflow() throws {
    var written: [Int: IndexSet] = [:]
    for (index, buffer) in buffers.enumerated() {
      switch buffer.placement {
      case .arena, .region: continue
      case .external, .constant: written[index] = IndexSet(integersIn: 0..<Int.max - 1)
      }
    }
    for (index, instruction) in instructions.enumerated() {
      for operand in instruction.operands where operand.access != .out {
        guard written[operand.buffer]?.contains(integersIn: channels(operand)) == true else {
          throw IRError(
            "instruction \(index) (\(instruction.kernel)) reads "
              + "\(operand.view?.name ?? buffers[operand.buffer].name) before it is written")
        }
      }
      for operand in instruction.operands where operand.access != .in {
        written[operand.buffer, default: []].insert(integersIn: channels(operand))
      }
    }
  }

  private func channels(_ operand: Operand) -> Range<Int> {
    operand.view?.channels ?? 0..<max(operand.stride, 1)
  }
}
