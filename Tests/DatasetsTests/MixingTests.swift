import Testing

@testable import Datasets

/// Generated images in every batch.
@Suite struct MixingTests {
  private func plan(_ fraction: Double, epoch: Int = 0, seed: UInt64 = 5) throws -> BatchPlan {
    try BatchPlan.mixed(
      count: 50, generated: 1000, fraction: fraction, batchSize: 8, seed: seed, epoch: epoch)
  }

  @Test func everyBatchHasItsShare() throws {
    let plan = try plan(0.7)
    #expect(plan.order.count == 50 && plan.batchCount == 7)
    let own = plan.order.filter { $0 < 50 }
    #expect(Set(own).count == own.count)
    for batch in 0..<6 {
      #expect(plan.positions(ofBatch: batch).count { $0 >= 50 } == 6)  // 0.7 * 8, rounded
    }
    #expect(plan.positions(ofBatch: 6).count { $0 >= 50 } == 1)  // 0.7 * 2, rounded
    #expect(plan.order.allSatisfy { $0 < 1050 })
  }

  @Test func drawsDependOnSeedAndEpoch() throws {
    #expect(try plan(0.5) == plan(0.5))
    #expect(try plan(0.5, epoch: 1) != plan(0.5) && plan(0.5, seed: 6) != plan(0.5))
    let shuffled = try BatchPlan.shuffled(count: 50, batchSize: 8, seed: 5, epoch: 0)
    #expect(try plan(0) == shuffled)
    #expect(try plan(1).order.allSatisfy { $0 >= 50 })
    #expect(message { try plan(1.5) }.hasPrefix("fraction 1.5"))
  }

  @Test func generatedImagesStandBehind() throws {
    let (own, extra) = (try patterned(count: 6), try patterned(count: 9))
    let mixed = try own.appending(extra.subset(indices: [8, 2]))
    #expect(mixed.count == 8 && mixed.labels == own.labels + [0, 2])
    let behind: [Int32] = [1_073_741_832, 1_073_741_826]
    #expect(Array(mixed.ids.suffix(2)) == behind)
    #expect(mixed.bytes == own.bytes + extra.bytes[720..<810] + extra.bytes[180..<270])
    #expect(
      message { try own.appending(patterned(count: 2, height: 7)) }
        == "pattern: images of 7x5x3, expected 6x5x3 as in pattern")
    let wide = try Dataset(
      name: "wide", split: .train, shape: own.shape, pixels: [UInt8](repeating: 0, count: 90),
      labels: [7], classes: (0..<8).map(String.init))
    #expect(message { try own.appending(wide) } == "wide: label 7, expected 0..<4 as in pattern")
  }
}
