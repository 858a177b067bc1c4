import Foundation

/// Which part of a data set.
public enum Split: String, Sendable, CaseIterable {
  case train, test
}

/// The extent of one image in pixels, and its channels (3 for RGB, 1 for grey).
public struct ImageShape: Sendable, Equatable, CustomStringConvertible {
  public let height: Int
  public let width: Int
  public let channels: Int

  public init(height: Int, width: Int, channels: Int) {
    self.height = height
    self.width = width
    self.channels = channels
  }

  /// Values in one image.
  public var count: Int { height * width * channels }

  public var description: String { "\(height)x\(width)x\(channels)" }
}

/// Labelled images of one size: bytes in memory, in a mapped file, or decoded when they are read.
public struct Dataset: Sendable {
  /// The kind, such as `cifar-10`, or an image folder's own name.
  public let name: String
  public let split: Split
  public let shape: ImageShape
  /// One class per image, in `0..<classes.count`.
  public let labels: [Int32]
  /// Each image's index in the split as loaded; a subset keeps them, so draws by id stay the same.
  public let ids: [Int32]
  /// The classes' names, by label.
  public let classes: [String]
  /// What a report of a run on this data has to say: known defects, unofficial splits, subsets.
  public let notes: [String]
  /// What the field draws for training images of this kind.
  public let augmentation: Augmentation
  let images: any ImageSource
  /// By position: the row of `images`.
  let rows: [Int32]

  /// The number of images.
  public var count: Int { labels.count }
  /// Bytes that the images keep in memory.
  public var residentBytes: Int { images.residentBytes }

  /// Images from memory, `labels.count * shape.count` bytes 0...255 in NHWC order.
  ///
  /// - Throws: `DatasetError.invalid` where the parts do not fit together.
  public init(
    name: String, split: Split, shape: ImageShape, pixels: [UInt8], labels: [Int32],
    classes: [String], notes: [String] = [], augmentation: Augmentation = .cifar
  ) throws {
    guard shape.height > 0, shape.width > 0, shape.channels > 0 else {
      throw DatasetError.invalid("data set \(name): shape \(shape), expected positive extents")
    }
    guard pixels.count == labels.count * shape.count else {
      throw DatasetError.invalid(
        "data set \(name): \(pixels.count) pixel bytes, expected \(labels.count) x \(shape)")
    }
    try self.init(
      name: name, split: split, shape: shape,
      images: ByteImages(shape: shape, storage: .bytes(pixels)), labels: labels, classes: classes,
      notes: notes, augmentation: augmentation)
  }

  /// Images from a source, one row for each label.
  init(
    name: String, split: Split, shape: ImageShape, images: any ImageSource, labels: [Int32],
    classes: [String], notes: [String] = [], augmentation: Augmentation
  ) throws {
    guard !labels.isEmpty else { throw DatasetError.empty(file: name) }
    guard labels.count <= Self.mostImages else {
      throw DatasetError.invalid(
        "data set \(name): \(labels.count) images, expected at most \(Self.mostImages)")
    }
    if let wrong = labels.first(where: { !classes.indices.contains(Int($0)) }) {
      throw DatasetError.invalid(
        "data set \(name): label \(wrong), expected 0..<\(classes.count)")
    }
    let rows = labels.indices.map(Int32.init)
    self.init(
      name: name, split: split, shape: shape, labels: labels, ids: rows, classes: classes,
      notes: notes, augmentation: augmentation, images: images, rows: rows)
  }

  private init(
    name: String, split: Split, shape: ImageShape, labels: [Int32], ids: [Int32],
    classes: [String], notes: [String], augmentation: Augmentation, images: any ImageSource,
    rows: [Int32]
  ) {
    self.name = name
    self.split = split
    self.shape = shape
    self.labels = labels
    self.ids = ids
    self.classes = classes
    self.notes = notes
    self.augmentation = augmentation
    self.images = images
    self.rows = rows
  }

  /// So that ids of generated images, which count from here, are no others'.
  static let mostImages = 1 << 30
}

extension Dataset {
  /// The first `count` images, the field's habit for a partial evaluation.
  public func subset(_ count: Int) throws -> Dataset {
    guard (1...self.count).contains(count) else {
      throw DatasetError.invalid(
        "count \(count): expected 1...\(self.count) (\(name) \(split.rawValue))")
    }
    return try subset(indices: Array(0..<count))
  }

  /// The images at `indices`, in that order; each index in `0..<count`. No image is copied.
  public func subset(indices: [Int]) throws -> Dataset {
    guard !indices.isEmpty else { throw DatasetError.empty(file: "subset of \(name)") }
    if let wrong = indices.first(where: { !labels.indices.contains($0) }) {
      throw DatasetError.invalid(
        "index \(wrong): expected 0..<\(count) (\(name) \(split.rawValue))")
    }
    guard indices != Array(labels.indices) else { return self }
    return selecting(
      indices, split: split, note: "a subset of \(indices.count) of \(count) images")
  }

  /// Images as another split, with a note on why.
  func selecting(_ indices: [Int], split: Split, note: String) -> Dataset {
    Dataset(
      name: name, split: split, shape: shape, labels: indices.map { labels[$0] },
      ids: indices.map { ids[$0] }, classes: classes, notes: notes + [note],
      augmentation: augmentation, images: images, rows: indices.map { rows[$0] })
  }

  /// This data set with generated images behind its own, at positions from `count` on.
  ///
  /// - Throws: `DatasetError.invalid` where shapes or classes do not fit.
  public func appending(_ extra: Dataset) throws -> Dataset {
    guard extra.shape == shape else {
      throw DatasetError.invalid(
        "\(extra.name): images of \(extra.shape), expected \(shape) as in \(name)")
    }
    if let wrong = extra.labels.first(where: { !classes.indices.contains(Int($0)) }) {
      throw DatasetError.invalid(
        "\(extra.name): label \(wrong), expected 0..<\(classes.count) as in \(name)")
    }
    let joined = JoinedImages(first: images, second: extra.images)
    guard joined.count <= Self.mostImages else {
      throw DatasetError.invalid("\(extra.name): too many images to append")
    }
    return Dataset(
      name: name, split: split, shape: shape, labels: labels + extra.labels,
      ids: ids + extra.ids.map { $0 + Int32(Self.mostImages) }, classes: classes,
      notes: notes + extra.notes, augmentation: augmentation, images: joined,
      rows: rows + extra.rows.map { $0 + Int32(images.count) })
  }

  /// All images as bytes in NHWC order, in the data set's order, without augmentation.
  ///
  /// - Throws: `DatasetError` for an image that cannot be read.
  public func pixels() throws -> [UInt8] {
    let workspace = ImageWorkspace()
    var pixels: [UInt8] = []
    pixels.reserveCapacity(count * shape.count)
    for row in rows {
      try images.withImage(Int(row), nil, workspace) {
        pixels.append(contentsOf: UnsafeBufferPointer(start: $0, count: shape.count))
      }
    }
    return pixels
  }
}
