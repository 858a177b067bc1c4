import IR
import Kernels

extension LaneProgram {
  /// The program as the block interpreter reads it, with a register for every step's value.
  ///
  /// - Throws: IRError where registers and rows do not fit a thread's scratch memory.
  func table() throws -> KernelTable {
    let (allocated, registers) = allocate()
    let floats = registers * Int(CLAT_LANE_BLOCK) + rows * channels
    guard floats * 4 <= Int(CLAT_SCRATCH_BYTES), scalars <= Int(CLAT_LANE_SCALARS) else {
      throw IRError("a fused region needs too much memory: \(floats * 4) bytes a thread")
    }
    let headers = zip(loops, allocated).map { loop, steps in
      clat_lane_loop(space: loop.space.code, count: Int32(steps.count), steps: nil)
    }
    let header = clat_lane_program(
      channels: Int32(channels), loop_count: Int32(loops.count), registers: Int32(registers),
      scalars: Int32(scalars), rows: Int32(rows), loops: nil, roles: nil)
    let loopTable = KernelTable(headers, [(\.steps, allocated.map { KernelTable($0) })])
    return KernelTable(
      [header], [(\.loops, [loopTable]), (\.roles, [KernelTable(roles.map(\.code))])])
  }

  /// Every loop's steps with registers; a register is free again after its value's last use.
  private func allocate() -> (loops: [[clat_lane_step]], count: Int) {
    var count = 1
    let loops = loops.map { loop in
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
