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

/// Labelled images of one size, held in memory as bytes.
public struct Dataset: Sendable {
  /// `cifar-10`, `cifar-100` or `digits`.
  public let name: String
  public let split: Split
  public let shape: ImageShape
  /// Pixels 0...255 in NHWC order, `count * shape.count` of them.
  public let pixels: [UInt8]
  /// One class per image, in `0..<classes.count`.
  public let labels: [Int32]
  /// Each image's index in the split as loaded; a subset keeps them, so draws by id stay the same.
  public let ids: [Int32]
  /// The classes' names, by label.
  public let classes: [String]
  /// What a report of a run on this data has to say: known defects, unofficial splits, subsets.
  public let notes: [String]

  /// The number of images.
  public var count: Int { labels.count }

  /// Images from memory. Throws `DatasetError.invalid` where the parts do not fit together.
  public init(
    name: String, split: Split, shape: ImageShape, pixels: [UInt8], labels: [Int32],
    classes: [String], notes: [String] = []
  ) throws {
    guard shape.height > 0, shape.width > 0, shape.channels > 0 else {
      throw DatasetError.invalid("data set \(name): shape \(shape), expected positive extents")
    }
    guard !labels.isEmpty else { throw DatasetError.empty(file: name) }
    guard pixels.count == labels.count * shape.count else {
      throw DatasetError.invalid(
        "data set \(name): \(pixels.count) pixel bytes, expected \(labels.count) x \(shape)")
    }
    if let wrong = labels.first(where: { !classes.indices.contains(Int($0)) }) {
      throw DatasetError.invalid(
        "data set \(name): label \(wrong), expected 0..<\(classes.count)")
    }
    self.init(
      name: name, split: split, shape: shape, pixels: pixels, labels: labels,
      ids: labels.indices.map(Int32.init), classes: classes, notes: notes)
  }

  private init(
    name: String, split: Split, shape: ImageShape, pixels: [UInt8], labels: [Int32], ids: [Int32],
    classes: [String], notes: [String]
  ) {
    self.name = name
    self.split = split
    self.shape = shape
    self.pixels = pixels
    self.labels = labels
    self.ids = ids
    self.classes = classes
    self.notes = notes
  }

  /// The first `count` images, the field's habit for a partial evaluation.
  public func subset(_ count: Int) throws -> Dataset {
    guard (1...self.count).contains(count) else {
      throw DatasetError.invalid(
        "count \(count): expected 1...\(self.count) (\(name) \(split.rawValue))")
    }
    return try subset(indices: Array(0..<count))
  }

  /// The images at `indices`, in that order; each index in `0..<count`.
  public func subset(indices: [Int]) throws -> Dataset {
    guard !indices.isEmpty else { throw DatasetError.empty(file: "subset of \(name)") }
    if let wrong = indices.first(where: { !labels.indices.contains($0) }) {
      throw DatasetError.invalid(
        "index \(wrong): expected 0..<\(count) (\(name) \(split.rawValue))")
    }
    guard indices != Array(labels.indices) else { return self }
    var chosen: [UInt8] = []
    chosen.reserveCapacity(indices.count * shape.count)
    for index in indices {
      chosen.append(contentsOf: pixels[index * shape.count..<(index + 1) * shape.count])
    }
    return Dataset(
      name: name, split: split, shape: shape, pixels: chosen, labels: indices.map { labels[$0] },
      ids: indices.map { ids[$0] }, classes: classes,
      notes: notes + ["a subset of \(indices.count) of \(count) images"])
  }
}

extension Dataset {
  /// Loads a data set.
  ///
  /// - Parameter source: `digits` (embedded), a CIFAR-10 or CIFAR-100 binary folder or its parent,
  ///   or one `.bin` file of CIFAR records (which then serves as either split).
  /// - Throws: `DatasetError`.
  public static func load(_ source: String, split: Split) throws -> Dataset {
    if source == "digits" { return try Digits.load(split: split) }
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: source, isDirectory: &isFolder) else {
      throw DatasetError.missing(
        path: source,
        expected: "'digits', a CIFAR-10 or CIFAR-100 binary folder, or a .bin file of its records")
    }
    return isFolder.boolValue
      ? try CIFAR.load(folder: source, split: split) : try CIFAR.load(file: source, split: split)
  }
}
