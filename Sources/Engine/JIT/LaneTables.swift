import IR
import Kernels

/// A lane program as the block interpreter reads it, with a register for every step's value.
final class LaneTables: @unchecked Sendable {
  let pointer: UnsafeMutablePointer<clat_lane_program>
  private let steps: UnsafeMutablePointer<clat_lane_step>
  private let loops: UnsafeMutablePointer<clat_lane_loop>
  private let roles: UnsafeMutablePointer<clat_lane_role>

  /// - Throws: IRError where registers and rows do not fit a thread's scratch memory.
  init(_ program: LaneProgram) throws {
    let (allocated, registers) = LaneTables.allocate(program)
    let floats = registers * Int(CLAT_LANE_BLOCK) + program.rows * program.channels
    guard floats * 4 <= Int(CLAT_SCRATCH_BYTES), program.scalars <= Int(CLAT_LANE_SCALARS) else {
      throw IRError("a fused region needs too much memory: \(floats * 4) bytes a thread")
    }
    steps = .allocate(capacity: max(allocated.joined().count, 1))
    loops = .allocate(capacity: max(program.loops.count, 1))
    roles = .allocate(capacity: max(program.roles.count, 1))
    pointer = .allocate(capacity: 1)
    var next = steps
    for (index, loop) in allocated.enumerated() {
      next.initialize(from: loop, count: loop.count)
      (loops + index).initialize(
        to: clat_lane_loop(
          space: program.loops[index].space.code, count: Int32(loop.count), steps: next))
      next += loop.count
    }
    for (index, role) in program.roles.enumerated() { roles[index] = role.code }
    pointer.initialize(
      to: clat_lane_program(
        channels: Int32(program.channels), loop_count: Int32(program.loops.count),
        registers: Int32(registers), scalars: Int32(program.scalars), rows: Int32(program.rows),
        loops: loops, roles: roles))
  }

  deinit {
    steps.deallocate()
    loops.deallocate()
    roles.deallocate()
    pointer.deallocate()
  }

  /// Every loop's steps with registers; a register is free again after its value's last use.
  private static func allocate(_ program: LaneProgram) -> (loops: [[clat_lane_step]], count: Int) {
    var count = 1
    let loops = program.loops.map { loop in
      var last = Array(loop.steps.indices)
      for (index, step) in loop.steps.enumerated() {
        for input in step.inputs { last[input] = index }
      }
      var free: [Int] = []
      var slots = [Int](repeating: 0, count: loop.steps.count)
      return loop.steps.enumerated().map { index, step in
        if step.isPure {
          slots[index] = free.popLast() ?? count
          count = max(count, slots[index] + 1)
        }
        let inputs = (step.inputs + [0, 0, 0]).prefix(3).enumerated().map { place, input in
          place < step.inputs.count ? Int32(slots[input]) : 0
        }
        for input in Set(step.inputs) where last[input] == index { free.append(slots[input]) }
        if step.isPure, last[index] == index { free.append(slots[index]) }
        return clat_lane_step(
          op: step.code, a: inputs[0], b: inputs[1], c: inputs[2], index: Int32(step.index),
          slot: Int32(slots[index]), value: step.value)
      }
    }
    return (loops, count)
  }
}
