import IR

/// Images ready for the network. A batch from a `BatchLoader` keeps its contents until the loader's
/// next `next()`.
public struct Batch {
  /// Its place in the epoch, from 0.
  public let index: Int
  /// Images in it; fewer than the plan's batch size only in a last batch that was kept.
  public let count: Int
  let buffer: BatchBuffer

  /// `count` images in NHWC order, in [0, 1] (byte / 255).
  public var images: BatchValues<Float> {
    BatchValues(buffer: buffer, start: buffer.images, count: count * buffer.imageCount)
  }

  /// `count` classes.
  public var labels: BatchValues<Int32> {
    BatchValues(buffer: buffer, start: buffer.labels, count: count)
  }

  /// `count` indices in the split as loaded: the key of every draw made for an image.
  public var ids: BatchValues<Int32> {
    BatchValues(buffer: buffer, start: buffer.ids, count: count)
  }
}

/// Values of a batch's images, in its memory, which they keep alive; contiguous and 64-byte aligned.
public struct BatchValues<Element>: RandomAccessCollection {
  let buffer: BatchBuffer
  let start: UnsafeMutablePointer<Element>
  public let count: Int

  public var startIndex: Int { 0 }
  public var endIndex: Int { count }

  public subscript(position: Int) -> Element {
    precondition(position >= 0 && position < count, "no value \(position) in \(count)")
    return withExtendedLifetime(buffer) { start[position] }
  }

  public func withContiguousStorageIfAvailable<Result>(
    _ body: (UnsafeBufferPointer<Element>) throws -> Result
  ) rethrows -> Result? {
    try withExtendedLifetime(buffer) {
      try body(UnsafeBufferPointer(start: start, count: count))
    }
  }
}

/// Memory of one batch, reused from batch to batch. One thread at a time owns it.
final class BatchBuffer: @unchecked Sendable {
  let imageCount: Int
  let capacity: Int
  let images: UnsafeMutablePointer<Float>
  let labels: UnsafeMutablePointer<Int32>
  let ids: UnsafeMutablePointer<Int32>

  init(capacity: Int, imageCount: Int) {
    self.capacity = capacity
    self.imageCount = imageCount
    images = Self.allocate(capacity * imageCount, zero: 0)
    labels = Self.allocate(capacity, zero: 0)
    ids = Self.allocate(capacity, zero: 0)
  }

  deinit {
    UnsafeMutableRawPointer(images).deallocate()
    UnsafeMutableRawPointer(labels).deallocate()
    UnsafeMutableRawPointer(ids).deallocate()
  }

  private static func allocate<T>(_ count: Int, zero: T) -> UnsafeMutablePointer<T> {
    let memory = UnsafeMutableRawPointer.allocate(
      byteCount: count * MemoryLayout<T>.stride, alignment: 64)
    return memory.initializeMemory(as: T.self, repeating: zero, count: count)
  }
}

/// Makes the batches of an epoch one by one, on the calling thread; `BatchLoader` makes them ahead.
public struct BatchAssembler: Sendable {
  public let dataset: Dataset
  public let plan: BatchPlan
  public let augmentation: Augmentation
  private let stream: RandomStream

  /// - Throws: `DatasetError.invalid` where the plan has a position that the data set has not.
  public init(
    dataset: Dataset, plan: BatchPlan, augmentation: Augmentation = .none, seed: UInt64, epoch: Int
  ) throws {
    if let wrong = plan.order.first(where: { !dataset.labels.indices.contains(Int($0)) }) {
      throw DatasetError.invalid(
        "batch plan: position \(wrong), expected 0..<\(dataset.count) (\(dataset.name))")
    }
    try augmentation.check()
    self.dataset = dataset
    self.plan = plan
    self.augmentation = augmentation
    stream = RandomStream(seed: seed, epoch: epoch, purpose: .augmentation)
  }

  /// Batch `index` (in `0..<plan.batchCount`) in memory of its own.
  ///
  /// - Throws: `DatasetError` for an index out of range or an image that cannot be read.
  public func batch(_ index: Int) throws -> Batch {
    guard (0..<plan.batchCount).contains(index) else {
      throw DatasetError.invalid("batch \(index): expected 0..<\(plan.batchCount)")
    }
    let buffer = makeBuffer()
    let count = plan.positions(ofBatch: index).count
    try fill(buffer, batch: index, places: 0..<count, ImageWorkspace())
    return Batch(index: index, count: count, buffer: buffer)
  }

  func makeBuffer() -> BatchBuffer {
    BatchBuffer(capacity: plan.batchSize, imageCount: dataset.shape.count)
  }

  /// Writes some places of batch `index`; where they are its last, what lies behind becomes zero.
  func fill(
    _ buffer: BatchBuffer, batch index: Int, places: Range<Int>, _ workspace: ImageWorkspace
  ) throws {
    let positions = plan.positions(ofBatch: index)
    for place in places {
      let position = Int(positions[positions.startIndex + place])
      let id = dataset.ids[position]
      buffer.labels[place] = dataset.labels[position]
      buffer.ids[place] = id
      try dataset.images.withImage(
        Int(dataset.rows[position]), augmentation.region(stream, id: id), workspace
      ) { pixels in
        Self.write(
          pixels, to: buffer.images + place * dataset.shape.count, shape: dataset.shape,
          draw: augmentation.draw(stream, id: id))
      }
    }
    if places.upperBound == positions.count { clear(buffer, from: positions.count) }
  }

  private func clear(_ buffer: BatchBuffer, from used: Int) {
    let rest = buffer.capacity - used
    (buffer.images + used * buffer.imageCount).update(repeating: 0, count: rest * buffer.imageCount)
    (buffer.labels + used).update(repeating: 0, count: rest)
    (buffer.ids + used).update(repeating: 0, count: rest)
  }

  /// Byte values as floats in [0, 1].
  private static let levels: [Float] = (0...255).map { Float($0) / 255 }

  private static func write(
    _ source: UnsafePointer<UInt8>, to target: UnsafeMutablePointer<Float>, shape: ImageShape,
    draw: Augmentation.Draw
  ) {
    let row = shape.width * shape.channels
    if draw.down != 0 || draw.right != 0 { target.update(repeating: 0, count: shape.count) }
    levels.withUnsafeBufferPointer { levels in
      for y in 0..<shape.height where (0..<shape.height).contains(y + draw.down) {
        let from = source + (y + draw.down) * row
        for x in 0..<shape.width {
          let column = (draw.flip ? shape.width - 1 - x : x) + draw.right
          guard column >= 0, column < shape.width else { continue }
          for channel in 0..<shape.channels {
            target[y * row + x * shape.channels + channel] =
              levels[Int(from[column * shape.channels + channel])]
          }
        }
      }
    }
  }
}
