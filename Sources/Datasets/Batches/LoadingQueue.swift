import CImages
import Foundation

/// Hands work and buffers between a loader and its threads.
///
/// Batches are begun in order, each in a free buffer, and given out in order; threads take a few
/// images of the batch begun last at a time.
final class LoadingQueue: @unchecked Sendable {
  /// Some places of a batch.
  private struct Job {
    var batch: Int
    var places: Range<Int>
    var buffer: BatchBuffer
  }

  /// A batch that has been begun and not yet given out.
  private struct Progress {
    var buffer: BatchBuffer
    var count: Int
    var claimed = 0
    var done = 0
    /// Of the first place that failed.
    var failure: (place: Int, error: any Error)?
  }

  private let condition = NSCondition()
  private let plan: BatchPlan
  private let grain: Int
  private var free: [BatchBuffer]
  private var begun: [Int: Progress] = [:]
  private var nextToBegin: Int
  private var nextToTake: Int
  private var working: Int
  private var cancelled = false

  init(_ plan: BatchPlan, from start: Int, grain: Int, threads: Int, buffers: [BatchBuffer]) {
    self.plan = plan
    self.grain = grain
    nextToBegin = start
    nextToTake = start
    working = threads
    free = buffers
  }

  private func locked<T>(_ body: () throws -> T) rethrows -> T {
    condition.lock()
    defer {
      condition.broadcast()
      condition.unlock()
    }
    return try body()
  }

  /// The life of one background thread.
  func work(_ assembler: BatchAssembler) {
    clat_unpin_thread()
    let workspace = ImageWorkspace()
    while let job = claim() {
      var failure: (Int, any Error)?
      for place in job.places where failure == nil {
        do {
          try assembler.fill(job.buffer, batch: job.batch, places: place..<place + 1, workspace)
        } catch {
          failure = (place, error)
        }
      }
      finish(job, failure)
    }
    locked { working -= 1 }
  }

  /// The next images to read, or nil where there are none to come.
  private func claim() -> Job? {
    locked {
      while !cancelled {
        if let job = claimNow() { return job }
        if nextToBegin == plan.batchCount { return nil }
        condition.wait()
      }
      return nil
    }
  }

  private func claimNow() -> Job? {
    if let latest = begun[nextToBegin - 1], latest.claimed < latest.count {
      return claim(of: nextToBegin - 1)
    }
    guard nextToBegin < plan.batchCount, let buffer = free.popLast() else { return nil }
    begun[nextToBegin] = Progress(
      buffer: buffer, count: plan.positions(ofBatch: nextToBegin).count)
    nextToBegin += 1
    return claim(of: nextToBegin - 1)
  }

  private func claim(of batch: Int) -> Job? {
    guard var progress = begun[batch] else { return nil }
    let places = progress.claimed..<min(progress.claimed + grain, progress.count)
    progress.claimed = places.upperBound
    begun[batch] = progress
    return Job(batch: batch, places: places, buffer: progress.buffer)
  }

  private func finish(_ job: Job, _ failure: (place: Int, error: any Error)?) {
    locked {
      guard var progress = begun[job.batch] else { return }
      progress.done += job.places.count
      if let failure, failure.place < progress.failure?.place ?? .max { progress.failure = failure }
      begun[job.batch] = progress
    }
  }

  func release(_ buffer: BatchBuffer) { locked { free.append(buffer) } }

  /// The next batch in order, or nil where none will come.
  func take() throws -> Batch? {
    try locked {
      while !cancelled, nextToTake < plan.batchCount {
        if let progress = begun[nextToTake], progress.done == progress.count {
          begun[nextToTake] = nil
          nextToTake += 1
          if let failure = progress.failure {
            cancelled = true
            throw failure.error
          }
          return Batch(index: nextToTake - 1, count: progress.count, buffer: progress.buffer)
        }
        condition.wait()
      }
      return nil
    }
  }

  func cancel() {
    locked {
      cancelled = true
      condition.broadcast()
      while working > 0 { condition.wait() }
    }
  }
}
