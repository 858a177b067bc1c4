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
    let order = permutation(count, seed: seed, epoch: epoch)
    return try BatchPlan(order: order, batchSize: batchSize, lastBatch: lastBatch)
  }

  /// An epoch in which a fixed share of every batch is generated images (Wang et al. 2023, "Better
  /// diffusion models further improve adversarial training").
  ///
  /// The epoch has `count` images in all. Its own images come from the same permutation as without
  /// generated ones, each at most once; the generated ones are drawn with replacement for (seed,
  /// epoch, place), and stand at the end of their batch.
  ///
  /// - Parameters:
  ///   - count: images of the data set, at positions `0..<count`.
  ///   - generated: generated images, at positions `count..<count + generated`.
  ///   - fraction: share of generated images in a batch, in 0...1; rounded to whole images.
  public static func mixed(
    count: Int, generated: Int, fraction: Double, batchSize: Int, lastBatch: LastBatch = .keep,
    seed: UInt64, epoch: Int
  ) throws -> BatchPlan {
    guard (0...1).contains(fraction), generated > 0 else {
      throw DatasetError.invalid(
        "fraction \(fraction) of \(generated) generated images: expected 0...1 of at least one")
    }
    let stream = RandomStream(seed: seed, epoch: epoch, purpose: .generated)
    var own = permutation(count, seed: seed, epoch: epoch)[...]
    var order: [Int32] = []
    let size = max(1, min(batchSize, maximumBatchSize))
    for start in stride(from: 0, to: count, by: size) {
      let places = start..<min(start + size, count)
      let drawn = Int((fraction * Double(places.count)).rounded())
      order += own.prefix(places.count - drawn)
      own = own.dropFirst(places.count - drawn)
      for place in places.suffix(drawn) {
        order.append(Int32(count + draw(stream, item: place, below: generated)))
      }
    }
    return try BatchPlan(order: order, batchSize: batchSize, lastBatch: lastBatch)
  }

  private static func permutation(_ count: Int, seed: UInt64, epoch: Int) -> [Int32] {
    let stream = RandomStream(seed: seed, epoch: epoch, purpose: .shuffle)
    var order = positions(count)
    for last in stride(from: count - 1, to: 0, by: -1) {
      order.swapAt(last, draw(stream, item: last, below: last + 1))
    }
    return order
  }

  /// A whole number in `0..<limit`.
  private static func draw(_ stream: RandomStream, item: Int, below limit: Int) -> Int {
    let words = stream.words(item: item, index: 0)
    let draw = UInt64(words.0) << 32 | UInt64(words.1)
    return Int(draw.multipliedFullWidth(by: UInt64(limit)).high)
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
