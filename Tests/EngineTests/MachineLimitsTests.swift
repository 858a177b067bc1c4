import Engine
import Testing

@Suite struct MachineLimitsTests {
  @Test func theSlowerLimitCounts() {
    let limits = MachineLimits(flopsPerSecond: 100, bytesPerSecond: 10)
    #expect(limits.seconds(flops: 200, bytes: 10) == 2)
    #expect(limits.seconds(flops: 200, bytes: 40) == 4)
  }

  /// Both are positive numbers, for one thread and for several.
  @Test(arguments: [1, 2]) func measured(threads: Int) throws {
    let limits = try MachineLimits.measure(threads: threads)
    #expect(limits.bytesPerSecond > 0 && limits.bytesPerSecond.isFinite)
    #expect(limits.flopsPerSecond > 0 && limits.flopsPerSecond.isFinite)
  }

  /// A kernel executes what its node asks for unless its lowering says otherwise.
  @Test func executedFlops() throws {
    let attack = try SmallAttack()
    let program = try Compiler.compile(attack.graph, options: .init(threads: 2)).program
    #expect(program.instructions.contains { $0.executedFlops > 0 })
    #expect(program.instructions.allSatisfy { $0.executedFlops <= $0.flops || $0.flops == 0 })
  }
}
