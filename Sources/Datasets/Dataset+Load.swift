import Foundation
import Storage

/// How a data set is read.
public struct LoadOptions: Sendable, Equatable {
  public enum Damaged: String, Sendable, CaseIterable {
    /// A damaged image is an error, when it is read.
    case error
    /// All images are decoded once when the data set is opened, and damaged ones are left out.
    case skip
  }

  /// The side of the square, in pixels, that image files become; nil to keep the extent of square
  /// images of one size, else 224.
  public var imageSize: Int?
  /// The shorter side to which image files are scaled before their middle is cut out; nil for the
  /// image size where that is the files' own, else 256/224 of it.
  public var resize: Int?
  public var damaged = Damaged.error
  /// The last so many images of a data set without a test split are its test split.
  public var testImages: Int?

  public init(
    imageSize: Int? = nil, resize: Int? = nil, damaged: Damaged = .error, testImages: Int? = nil
  ) {
    self.imageSize = imageSize
    self.resize = resize
    self.damaged = damaged
    self.testImages = testImages
  }

  func check() throws {
    for (name, value, range) in [
      ("image size", imageSize, 1...4096), ("resize", resize, 1...8192),
      ("test images", testImages, 1...Dataset.mostImages),
    ] {
      guard let value, !range.contains(value) else { continue }
      throw DatasetError.invalid(
        "\(name) \(value): expected \(range.lowerBound)...\(range.upperBound)")
    }
  }
}

extension Dataset {
  /// What a source may be.
  public static let expected =
    "'digits', a folder with CIFAR-10's or CIFAR-100's binary files, MNIST's idx files, images in "
    + "train/CLASS and val/CLASS, or train.npz, or one .npz or .bin file"

  /// Loads a data set, whose kind is told by its content.
  ///
  /// - Parameter source: see `expected`; a folder may also be the parent of one such folder. A
  ///   single file, and classes without a split above them, serve as either split.
  /// - Throws: `DatasetError` naming the file and what was expected.
  public static func load(
    _ source: String, split: Split, options: LoadOptions = LoadOptions()
  ) throws -> Dataset {
    try options.check()
    if source == "digits" { return try Digits.load(split: split) }
    let kind = try SourceKind(source)
    guard let count = options.testImages else { return try kind.load(split, options) }
    if let both = kind.splits, both.count > 1 {
      throw DatasetError.invalid(
        "test images \(count): \(source) has a test split of its own, leave them out")
    }
    let whole = try kind.load(kind.splits?.first ?? split, options)
    guard count < whole.count else {
      throw DatasetError.invalid(
        "test images \(count): expected fewer than the \(whole.count) of \(source)")
    }
    let all = Array(0..<whole.count)
    return split == .test
      ? whole.selecting(
        all.suffix(count), split: split,
        note: "the last \(count) of \(whole.count) images: no official test split")
      : whole.selecting(
        all.dropLast(count), split: split,
        note: "the first \(whole.count - count) of \(whole.count) images: no official split")
  }
}

/// What a path holds.
enum SourceKind {
  case cifar(home: String, CIFAR.Layout)
  case cifarFile(String)
  case mnist(MNIST)
  case images(ImageFolder)
  case arrays([Split: String])

  /// - Throws: `DatasetError` that says what was found and what was expected.
  init(_ source: String) throws {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: source, isDirectory: &isFolder) else {
      throw DatasetError.missing(path: source, expected: Dataset.expected)
    }
    self = try isFolder.boolValue ? Self.folder(source) : Self.file(source)
  }

  /// The splits that are told apart; nil where one serves as both.
  var splits: [Split]? {
    switch self {
    case .cifar(let home, let layout):
      Split.allCases.filter { split in
        (layout.files[split] ?? []).contains {
          FileManager.default.fileExists(atPath: home + "/" + $0)
        }
      }
    case .cifarFile: nil
    case .mnist(let files): Split.allCases.filter { files.images[$0] != nil }
    case .images(let folder):
      folder.isWhole ? nil : Split.allCases.filter { folder.trees[$0] != nil }
    case .arrays(let files):
      files[.train] == files[.test] ? nil : Split.allCases.filter { files[$0] != nil }
    }
  }

  func load(_ split: Split, _ options: LoadOptions) throws -> Dataset {
    switch self {
    case .cifar(let home, let layout):
      return try CIFAR.load(home: home, layout: layout, split: split)
    case .cifarFile(let file): return try CIFAR.load(file: file, split: split)
    case .mnist(let files): return try files.load(split)
    case .images(let folder): return try folder.load(split, options)
    case .arrays(let files):
      guard let file = files[split] else {
        let other = files.values.first ?? ""
        throw DatasetError.missing(
          path: other.parentFolder + "/\(split.rawValue).npz",
          expected: "the \(split.rawValue) split beside \((other as NSString).lastPathComponent)")
      }
      return try NPZ.load(file, split: split)
    }
  }

  // MARK: - Recognition

  private static func folder(_ path: String) throws -> SourceKind {
    if let found = direct(path) { return found }
    let children = ImageFolder.names(in: path)
    let found = children.compactMap { name in direct(path + "/" + name).map { (name, $0) } }
    if found.count == 1 { return found[0].1 }
    guard found.isEmpty else {
      throw DatasetError.ambiguous(path: path, candidates: found.map(\.0))
    }
    let shown = children.prefix(4).joined(separator: ", ") + (children.count > 4 ? ", ..." : "")
    throw DatasetError.missing(
      path: path,
      expected: Dataset.expected
        + (children.isEmpty ? "; the folder is empty" : "; the folder holds \(shown)"))
  }

  /// What stands in the folder itself.
  private static func direct(_ path: String) -> SourceKind? {
    if let layout = CIFAR.layout(in: path) { return .cifar(home: path, layout) }
    if let files = MNIST(path) { return .mnist(files) }
    let arrays = Split.allCases.reduce(into: [Split: String]()) { arrays, split in
      let file = "\(path)/\(split.rawValue).npz"
      if FileManager.default.fileExists(atPath: file) { arrays[split] = file }
    }
    if !arrays.isEmpty { return .arrays(arrays) }
    return ImageFolder(path).map(SourceKind.images)
  }

  private static func file(_ path: String) throws -> SourceKind {
    let head: Data
    do {
      let handle = try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
      head = try handle.read(upToCount: 8) ?? Data()
    } catch {
      throw DatasetError.unreadable(path: path, reason: oneLine(error))
    }
    if ZipArchive.matches(head) || path.hasSuffix(".npz") {
      return .arrays([.train: path, .test: path])
    }
    let name = (path as NSString).lastPathComponent
    let found: String? =
      if Gzip.matches(head) {
        "a gzip file"
      } else if head.starts(with: [0x93] + Array("NUMPY".utf8)) {
        "a NumPy array without labels"
      } else if head.starts(with: [0, 0, 8]) {
        "an idx file; name its folder, which has images and labels"
      } else if ImageFolder.isImage(name) { "one image" } else { nil }
    if let found {
      throw DatasetError.damaged(file: path, reason: "\(found), expected \(Dataset.expected)")
    }
    return .cifarFile(path)
  }
}

/// Runs `body`, whose errors from reading archives become errors of data sets.
func readingArchive<R>(_ body: () throws -> R) throws -> R {
  do {
    return try body()
  } catch let error as StorageError {
    switch error.kind {
    case .missing: throw DatasetError.missing(path: error.file, expected: "a file")
    case .damaged, .invalid: throw DatasetError.damaged(file: error.file, reason: error.problem)
    default: throw DatasetError.unreadable(path: error.file, reason: error.problem)
    }
  }
}
