import CImages
import Foundation

/// Prepares an epoch's batches ahead on background threads.
///
/// What it returns depends on its arguments alone, never on timing or on the number of threads.
/// Use it from one thread. The background threads end after the last batch, at `cancel()`, or when
/// the loader is released.
public final class BatchLoader {
  private let queue: LoadingQueue
  private var current: BatchBuffer?
  /// Seconds that `next()` has waited for a batch so far; near 0 where loading keeps up.
  public private(set) var waitSeconds = 0.0

  /// - Parameters:
  ///   - startBatch: the first batch to return, in `0...plan.batchCount`; later than 0 to resume.
  ///   - depth: batches prepared ahead, at least 1.
  ///   - threads: that prepare them; where nil one for images in memory, and one for each CPU for
  ///     images that have to be decoded.
  /// - Throws: `DatasetError.invalid` for arguments out of range.
  public init(
    dataset: Dataset, plan: BatchPlan, augmentation: Augmentation = .none, seed: UInt64, epoch: Int,
    startBatch: Int = 0, depth: Int = BatchLoader.usualDepth, threads: Int? = nil
  ) throws {
    guard (0...plan.batchCount).contains(startBatch) else {
      throw DatasetError.invalid("start batch \(startBatch): expected 0...\(plan.batchCount)")
    }
    guard (1...64).contains(depth) else {
      throw DatasetError.invalid("prefetch depth \(depth): expected 1...64")
    }
    let assembler = try BatchAssembler(
      dataset: dataset, plan: plan, augmentation: augmentation, seed: seed, epoch: epoch)
    let decodes = dataset.images.decodes
    let count = max(
      1, min(threads ?? (decodes ? ProcessInfo.processInfo.activeProcessorCount : 1), 64))
    let queue = LoadingQueue(
      plan, from: startBatch, grain: decodes ? 4 : plan.batchSize, threads: count,
      buffers: (0...depth).map { _ in assembler.makeBuffer() })
    self.queue = queue
    for _ in 0..<count {
      let thread = Thread { queue.work(assembler) }
      thread.name = "clat-batches"
      thread.start()
    }
  }

  /// Batches that are prepared ahead unless more or less is asked for.
  public static let usualDepth = 2

  /// Bytes of all batches that a loader keeps.
  public static func bytes(shape: ImageShape, batchSize: Int, depth: Int = usualDepth) -> Int {
    (depth + 1) * batchSize * (shape.count + 2) * 4
  }

  deinit { cancel() }

  /// The next batch, or nil after the last one and after `cancel()`. Overwrites the previous one.
  ///
  /// - Throws: `DatasetError` where one of its images cannot be read.
  public func next() throws -> Batch? {
    let start = ContinuousClock.now
    defer { waitSeconds += (ContinuousClock.now - start) / .seconds(1) }
    if let current { queue.release(current) }
    current = nil
    let batch = try queue.take()
    current = batch?.buffer
    return batch
  }

  /// Stops preparing, and returns when the background threads have let go of everything.
  public func cancel() { queue.cancel() }
}
