import Foundation
import IR
import Testing

@testable import Datasets

@Suite struct BatchTests {
  @Test func shufflingIsAPermutationOfItsSeedAndEpoch() throws {
    let first = try BatchPlan.shuffled(count: 1_000, batchSize: 64, seed: 3, epoch: 5)
    #expect(first.order.sorted() == Array(0..<1_000))
    #expect(try first == .shuffled(count: 1_000, batchSize: 64, seed: 3, epoch: 5))
    #expect(try first != .shuffled(count: 1_000, batchSize: 64, seed: 3, epoch: 6))
    #expect(try first != .shuffled(count: 1_000, batchSize: 64, seed: 4, epoch: 5))
  }

  /// Each of the 24 orders of four images is drawn about equally often (chi-square, 23 degrees).
  @Test func shufflingIsUniform() throws {
    var counts: [[Int32]: Int] = [:]
    for epoch in 0..<2_400 {
      let plan = try BatchPlan.shuffled(count: 4, batchSize: 1, seed: 1, epoch: epoch)
      counts[plan.order, default: 0] += 1
    }
    let chi = counts.values.reduce(0.0) { $0 + Double(($1 - 100) * ($1 - 100)) / 100 }
    #expect(counts.count == 24 && chi < 49.7)  // 0.1 % quantile
  }

  @Test func theLastBatchIsKeptDroppedOrRefused() throws {
    #expect(try BatchPlan.sequential(count: 10, batchSize: 4, lastBatch: .keep).batchCount == 3)
    #expect(try BatchPlan.sequential(count: 10, batchSize: 4, lastBatch: .drop).batchCount == 2)
    #expect(try BatchPlan.sequential(count: 8, batchSize: 4, lastBatch: .error).batchCount == 2)
    #expect(
      message { try BatchPlan.sequential(count: 10, batchSize: 4, lastBatch: .error) }
        == "10 images: the last batch has 2, expected 4")
    #expect(
      message { try BatchPlan.sequential(count: 3, batchSize: 4, lastBatch: .drop) }
        == "3 images: no batch of 4 to take from them")
    #expect(message { try BatchPlan.sequential(count: 3, batchSize: 0) }.hasPrefix("batch size 0"))
    #expect(message { try BatchPlan.sequential(count: -3, batchSize: 1) }.hasPrefix("0 images"))
  }

  @Test func batchesHoldScaledPixelsInAlignedMemory() throws {
    let data = try patterned(count: 10)
    let plan = try BatchPlan.sequential(count: 10, batchSize: 4)
    let assembler = try BatchAssembler(dataset: data, plan: plan, seed: 1, epoch: 0)
    let batch = try assembler.batch(2)
    #expect(batch.count == 2 && Array(batch.ids) == [8, 9] && Array(batch.labels) == [0, 1])
    #expect(Array(batch.images) == data.bytes[8 * 90..<10 * 90].map { Float($0) / 255 })
    for address in [
      UInt(bitPattern: batch.images.start), UInt(bitPattern: batch.labels.start),
      UInt(bitPattern: batch.ids.start),
    ] { #expect(address % 64 == 0) }
    let behind = UnsafeBufferPointer(start: batch.buffer.images + 180, count: 180)
    #expect(behind.allSatisfy { $0 == 0 })
    #expect(message { try assembler.batch(3) } == "batch 3: expected 0..<3")
  }

  @Test func valuesKeepTheMemoryOfTheirBatch() throws {
    let data = try patterned(count: 4)
    let plan = try BatchPlan.sequential(count: 4, batchSize: 4)
    let assembler = try BatchAssembler(dataset: data, plan: plan, seed: 1, epoch: 0)
    weak var memory: BatchBuffer?
    func images() throws -> BatchValues<Float> {
      let batch = try assembler.batch(0)
      memory = batch.buffer
      return batch.images
    }
    var kept: BatchValues<Float>? = try images()
    #expect(memory != nil)
    #expect(kept.map { Array($0) } == data.bytes.map { Float($0) / 255 })
    kept = nil
    #expect(memory == nil)
  }

  /// The crop and the flip against a direct construction: pad, cut, mirror.
  @Test func augmentationEqualsPadCropFlip() throws {
    let data = try patterned(count: 40)
    let plan = try BatchPlan.sequential(count: 40, batchSize: 40)
    let augmentation = Augmentation(padding: 2, flips: true)
    let batch = try BatchAssembler(
      dataset: data, plan: plan, augmentation: augmentation, seed: 9, epoch: 4
    ).batch(0)
    let stream = RandomStream(seed: 9, epoch: 4, purpose: .augmentation)
    var seen: Set<Int> = []
    for image in 0..<40 {
      let draw = augmentation.draw(stream, id: Int32(image))
      seen.formUnion([draw.down, 10 + draw.right, draw.flip ? 100 : 101])
      var expected: [Float] = []
      for y in 0..<6 {
        let line = (0..<5).map { x in pixel(data, image, y + draw.down, x + draw.right) }
        expected += (draw.flip ? line.reversed() : line).flatMap { $0 }
      }
      #expect(Array(batch.images[image * 90..<(image + 1) * 90]) == expected)
    }
    #expect(seen == Set([-2, -1, 0, 1, 2, 8, 9, 10, 11, 12, 100, 101]))
  }

  private func pixel(_ data: Dataset, _ image: Int, _ y: Int, _ x: Int) -> [Float] {
    guard (0..<6).contains(y), (0..<5).contains(x) else { return [0, 0, 0] }
    let start = ((image * 6 + y) * 5 + x) * 3
    return data.bytes[start..<start + 3].map { Float($0) / 255 }
  }

  @Test func anImagesDrawDoesNotDependOnItsCompany() throws {
    let data = try patterned(count: 30)
    let augmentation = Augmentation.cifar
    let whole = try BatchAssembler(
      dataset: data, plan: .sequential(count: 30, batchSize: 30), augmentation: augmentation,
      seed: 2, epoch: 1
    ).batch(0)
    let part = try data.subset(indices: [17, 4])
    let other = try BatchAssembler(
      dataset: part, plan: BatchPlan(order: [1, 0], batchSize: 1), augmentation: augmentation,
      seed: 2, epoch: 1)
    for (index, id) in [(0, 4), (1, 17)] {
      let batch = try other.batch(index)
      #expect(Array(batch.images) == Array(whole.images[id * 90..<(id + 1) * 90]))
    }
    let later = try BatchAssembler(
      dataset: data, plan: .sequential(count: 30, batchSize: 30), augmentation: augmentation,
      seed: 2, epoch: 2
    ).batch(0)
    #expect(Array(later.images) != Array(whole.images))
  }

  @Test func badPlansAndOptionsAreRefused() throws {
    let data = try patterned(count: 4)
    let plan = try BatchPlan(order: [0, 4], batchSize: 1)
    #expect(
      message { try BatchAssembler(dataset: data, plan: plan, seed: 0, epoch: 0) }
        == "batch plan: position 4, expected 0..<4 (pattern)")
    #expect(
      message {
        try BatchAssembler(
          dataset: data, plan: .sequential(count: 4, batchSize: 2),
          augmentation: Augmentation(padding: -1, flips: false), seed: 0, epoch: 0)
      } == "padding -1: expected 0...1024")
  }
}
