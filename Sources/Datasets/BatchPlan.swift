import IR

/// Which images stand in which batch of an epoch.
public struct BatchPlan: Sendable, Equatable {
  /// What happens to the images that do not fill a last batch.
  public enum LastBatch: String, Sendable, CaseIterable {
    /// They form a smaller batch.
    case keep
    /// They are left out of this epoch.
    case drop
    /// The plan is refused.
    case error
  }

  /// Positions in the data set, in the order of the epoch.
  public let order: [Int32]
  /// Images per batch.
  public let batchSize: Int
  public let lastBatch: LastBatch

  /// The largest batch size, so that a typing error does not ask for all memory.
  public static let maximumBatchSize = 65_536

  /// - Throws: `DatasetError.invalid` for a batch size out of range, for a plan without a batch,
  ///   and where `lastBatch` is `error` and the images do not fill the last batch.
  public init(order: [Int32], batchSize: Int, lastBatch: LastBatch = .keep) throws {
    guard (1...Self.maximumBatchSize).contains(batchSize) else {
      throw DatasetError.invalid("batch size \(batchSize): expected 1...\(Self.maximumBatchSize)")
    }
    let rest = order.count % batchSize
    if lastBatch == .error, rest != 0 {
      throw DatasetError.invalid(
        "\(order.count) images: the last batch has \(rest), expected \(batchSize)")
    }
    guard !order.isEmpty, lastBatch != .drop || order.count >= batchSize else {
      throw DatasetError.invalid(
        "\(order.count) images: no batch of \(batchSize) to take from them")
    }
    self.order = order
    self.batchSize = batchSize
    self.lastBatch = lastBatch
  }

  /// The data set's own order, for evaluation.
  public static func sequential(
    count: Int, batchSize: Int, lastBatch: LastBatch = .keep
  ) throws -> BatchPlan {
    try BatchPlan(order: positions(count), batchSize: batchSize, lastBatch: lastBatch)
  }

  /// A permutation drawn for (seed, epoch), the same on every machine (Fisher and Yates; Knuth,
  /// The Art of Computer Programming, algorithm 3.4.2P).
  public static func shuffled(
    count: Int, batchSize: Int, lastBatch: LastBatch = .keep, seed: UInt64, epoch: Int
  ) throws -> BatchPlan {
    let stream = RandomStream(seed: seed, epoch: epoch, purpose: .shuffle)
    var order = positions(count)
    for last in stride(from: count - 1, to: 0, by: -1) {
      let words = stream.words(item: last, index: 0)
      let draw = UInt64(words.0) << 32 | UInt64(words.1)
      order.swapAt(last, Int(draw.multipliedFullWidth(by: UInt64(last + 1)).high))
    }
    return try BatchPlan(order: order, batchSize: batchSize, lastBatch: lastBatch)
  }

  private static func positions(_ count: Int) -> [Int32] {
    Array(0..<Int32(clamping: max(0, count)))
  }

  /// Batches in the epoch.
  public var batchCount: Int {
    lastBatch == .drop ? order.count / batchSize : (order.count + batchSize - 1) / batchSize
  }

  /// The data set's positions in batch `batch`, which is in `0..<batchCount`.
  public func positions(ofBatch batch: Int) -> ArraySlice<Int32> {
    order[batch * batchSize..<min((batch + 1) * batchSize, order.count)]
  }
}
