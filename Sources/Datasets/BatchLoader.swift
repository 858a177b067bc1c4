import Foundation

/// Prepares an epoch's batches ahead on one background thread.
///
/// What it returns depends on its arguments alone, never on timing. Use it from one thread. The
/// background thread ends after the last batch, at `cancel()`, or when the loader is released.
public final class BatchLoader {
  private let queue: PrefetchQueue
  private var current: BatchBuffer?
  /// Seconds that `next()` has waited for a batch so far; near 0 where loading keeps up.
  public private(set) var waitSeconds = 0.0

  /// - Parameters:
  ///   - startBatch: the first batch to return, in `0...plan.batchCount`; later than 0 to resume.
  ///   - depth: batches prepared ahead, at least 1.
  /// - Throws: `DatasetError.invalid` for arguments out of range.
  public init(
    dataset: Dataset, plan: BatchPlan, augmentation: Augmentation = .none, seed: UInt64, epoch: Int,
    startBatch: Int = 0, depth: Int = 2
  ) throws {
    guard (0...plan.batchCount).contains(startBatch) else {
      throw DatasetError.invalid("start batch \(startBatch): expected 0...\(plan.batchCount)")
    }
    guard (1...64).contains(depth) else {
      throw DatasetError.invalid("prefetch depth \(depth): expected 1...64")
    }
    let assembler = try BatchAssembler(
      dataset: dataset, plan: plan, augmentation: augmentation, seed: seed, epoch: epoch)
    let queue = PrefetchQueue(buffers: (0...depth).map { _ in assembler.makeBuffer() })
    self.queue = queue
    let thread = Thread {
      for index in startBatch..<plan.batchCount {
        guard let buffer = queue.takeFree() else { break }
        let count = assembler.fill(buffer, batch: index)
        queue.put(Batch(index: index, count: count, buffer: buffer))
      }
      queue.finish()
    }
    thread.name = "clat-batches"
    thread.start()
  }

  deinit { cancel() }

  /// The next batch, or nil after the last one and after `cancel()`. Overwrites the previous one.
  public func next() -> Batch? {
    let start = ContinuousClock.now
    defer { waitSeconds += (ContinuousClock.now - start) / .seconds(1) }
    if let current { queue.release(current) }
    let batch = queue.take()
    current = batch?.buffer
    return batch
  }

  /// Stops preparing, and returns when the background thread has let go of everything.
  public func cancel() { queue.cancel() }
}

/// Hands buffers between the loader and its thread.
private final class PrefetchQueue: @unchecked Sendable {
  private let condition = NSCondition()
  private var free: [BatchBuffer]
  private var ready: [Batch] = []
  private var cancelled = false
  private var finished = false

  init(buffers: [BatchBuffer]) { free = buffers }

  private func locked<T>(_ body: () -> T) -> T {
    condition.lock()
    defer {
      condition.broadcast()
      condition.unlock()
    }
    return body()
  }

  /// A buffer to fill, or nil once cancelled.
  func takeFree() -> BatchBuffer? {
    locked {
      while free.isEmpty, !cancelled { condition.wait() }
      return cancelled ? nil : free.removeLast()
    }
  }

  func put(_ batch: Batch) { locked { ready.append(batch) } }

  func finish() { locked { finished = true } }

  func release(_ buffer: BatchBuffer) { locked { free.append(buffer) } }

  /// The oldest batch, or nil where none will come.
  func take() -> Batch? {
    locked {
      while ready.isEmpty, !finished, !cancelled { condition.wait() }
      return ready.isEmpty || cancelled ? nil : ready.removeFirst()
    }
  }

  func cancel() {
    locked {
      cancelled = true
      condition.broadcast()
      while !finished { condition.wait() }
    }
  }
}
