import Engine
import IR
import Testing

/// Numbers from a counter-based generator.
struct Draws {
  private var index = 0
  private let stream: RandomStream

  init(seed: UInt64) { stream = RandomStream(seed: seed, epoch: 0, purpose: .weights) }

  mutating func next(below bound: Int) -> Int {
    index += 1
    return Int(stream.words(item: 0, index: index).0) % bound
  }
}

@Suite struct MemoryPlanTests {
  /// Buffers that live together never overlap, every offset is aligned, and the arena is at least
  /// the lower bound.
  @Test(arguments: 0..<60) func randomPlansAreSound(_ seed: Int) {
    var draws = Draws(seed: UInt64(seed))
    let requests = (0..<(1 + draws.next(below: 120))).map { _ in
      let start = draws.next(below: 50)
      return MemoryPlan.Request(
        bytes: draws.next(below: 5000), lifetime: start...start + draws.next(below: 12))
    }
    let plan = MemoryPlan(requests)
    #expect(plan.arenaBytes >= plan.lowerBound)
    for (i, a) in requests.enumerated() {
      #expect(plan.offsets[i] % MemoryPlan.alignment == 0)
      #expect(plan.offsets[i] + a.bytes <= plan.arenaBytes)
      for (j, b) in requests[..<i].enumerated() where a.lifetime.overlaps(b.lifetime) {
        let apart =
          plan.offsets[i] >= plan.offsets[j] + b.bytes
          || plan.offsets[j] >= plan.offsets[i] + a.bytes
        #expect(apart, "requests \(i) and \(j) overlap")
      }
    }
  }

  @Test func disjointLifetimesShareMemory() {
    let plan = MemoryPlan([
      .init(bytes: 100, lifetime: 0...1), .init(bytes: 100, lifetime: 1...2),
      .init(bytes: 100, lifetime: 2...3), .init(bytes: 200, lifetime: 4...5),
    ])
    #expect(plan.lowerBound == 256)
    #expect(plan.arenaBytes == 256)
    #expect(plan.offsets[0] == plan.offsets[2])
  }

  @Test func nothingNeedsNoMemory() {
    let plan = MemoryPlan([])
    #expect(plan.arenaBytes == 0)
    #expect(plan.lowerBound == 0)
  }
}
