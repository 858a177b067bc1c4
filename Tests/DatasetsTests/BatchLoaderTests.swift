import Foundation
import Testing

@testable import Datasets

@Suite(.serialized) struct BatchLoaderTests {
  struct Copy: Equatable {
    var index: Int
    var images: [Float]
    var labels: [Int32]
    var ids: [Int32]

    init(_ batch: Batch) {
      index = batch.index
      images = Array(batch.images)
      labels = Array(batch.labels)
      ids = Array(batch.ids)
    }
  }

  let data: Dataset
  let plan: BatchPlan

  init() throws {
    data = try patterned(count: 103)
    plan = try BatchPlan.shuffled(count: 103, batchSize: 8, seed: 11, epoch: 3)
  }

  private func direct() throws -> [Copy] {
    let assembler = try BatchAssembler(
      dataset: data, plan: plan, augmentation: .cifar, seed: 11, epoch: 3)
    return try (0..<plan.batchCount).map { Copy(try assembler.batch($0)) }
  }

  private func loader(startBatch: Int = 0, depth: Int = 2) throws -> BatchLoader {
    try BatchLoader(
      dataset: data, plan: plan, augmentation: .cifar, seed: 11, epoch: 3, startBatch: startBatch,
      depth: depth)
  }

  /// Slow and fast consumers, shallow and deep queues: the same batches as without a thread.
  @Test(arguments: [1, 2, 5], [0, 1_000])
  func prefetchedEqualsDirect(depth: Int, microseconds: UInt32) throws {
    let loader = try loader(depth: depth)
    var batches: [Copy] = []
    while let batch = try loader.next() {
      usleep(microseconds)
      batches.append(Copy(batch))
    }
    #expect(try batches == direct() && batches.last?.labels.count == 103 % 8)
    #expect(try loader.next() == nil && loader.waitSeconds >= 0)
  }

  @Test func resumesInTheMiddleOfAnEpoch() throws {
    let expected = try direct()
    for start in [0, 1, 7, 12, 13] {
      let loader = try loader(startBatch: start)
      var batches: [Copy] = []
      while let batch = try loader.next() { batches.append(Copy(batch)) }
      #expect(batches == Array(expected[start...]))
    }
    #expect(message { try self.loader(startBatch: 14) } == "start batch 14: expected 0...13")
    #expect(message { try self.loader(depth: 0) } == "prefetch depth 0: expected 1...64")
  }

  @Test func cancellingEndsTheThread() throws {
    for round in 0..<300 {
      let loader = try loader()
      for _ in 0..<(round % 4) { _ = try loader.next() }
      if round % 2 == 0 {
        loader.cancel()
        #expect(try loader.next() == nil)
      }
    }
    for _ in 0..<200 where prefetchThreads() > 0 { usleep(10_000) }
    #expect(prefetchThreads() == 0)
  }

  /// A batch outlives its loader.
  @Test func aBatchKeepsItsMemory() throws {
    var loader: BatchLoader? = try loader()
    let batch = try #require(try loader?.next())
    loader = nil
    #expect(try Copy(batch) == direct()[0])
  }

  private func prefetchThreads() -> Int {
    let tasks = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/task")) ?? []
    return tasks.count { task in
      let name = FileManager.default.contents(atPath: "/proc/self/task/\(task)/comm") ?? Data()
      return String(decoding: name, as: UTF8.self).hasPrefix("clat-batches")
    }
  }
}
