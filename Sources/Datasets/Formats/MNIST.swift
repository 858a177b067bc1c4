import Foundation
import Storage

/// MNIST's idx files (LeCun et al. 1998), plain or as gzip, under the official names; Fashion-MNIST
/// and others use the same.
struct MNIST {
  /// By split: the paths of the two files.
  let images: [Split: String]
  let labels: [Split: String]
  private let home: String

  private static let prefixes: [Split: String] = [.train: "train", .test: "t10k"]

  /// nil where the folder has no images of that name.
  init?(_ home: String) {
    func find(_ split: Split, _ kind: String) -> String? {
      let start = "\(home)/\(Self.prefixes[split] ?? "")-\(kind)"
      let types =
        kind == "images" ? ["-idx3-ubyte", ".idx3-ubyte"] : ["-idx1-ubyte", ".idx1-ubyte"]
      return types.flatMap { [start + $0, start + $0 + ".gz"] }
        .first(where: FileManager.default.fileExists(atPath:))
    }
    func all(_ kind: String) -> [Split: String] {
      Split.allCases.reduce(into: [:]) { $0[$1] = find($1, kind) }
    }
    self.home = home
    images = all("images")
    labels = all("labels")
    guard !images.isEmpty else { return nil }
  }

  func load(_ split: Split) throws -> Dataset {
    let prefix = Self.prefixes[split] ?? ""
    guard let imageFile = images[split] else {
      let other = Self.prefixes[split == .train ? .test : .train] ?? ""
      throw DatasetError.missing(
        path: "\(home)/\(prefix)-images-idx3-ubyte",
        expected:
          "the \(split.rawValue) split; only the \(other) files are here, whose last images "
          + "can be the test split: --test-images N, or data.test_images in a recipe")
    }
    guard let labelFile = labels[split] else {
      throw DatasetError.missing(
        path: "\(home)/\(prefix)-labels-idx1-ubyte", expected: "the labels of \(imageFile)")
    }
    return try Self.dataset(
      images: IDX(IDX.contents(imageFile), file: imageFile),
      labels: IDX(IDX.contents(labelFile), file: labelFile), split: split)
  }

  static func dataset(images: IDX, labels: IDX, split: Split) throws -> Dataset {
    guard images.shape.count == 3 else { throw images.mismatch("3 dimensions, [N, height, width]") }
    guard labels.shape.count == 1 else { throw labels.mismatch("1 dimension, [N]") }
    guard images.shape[0] == labels.shape[0] else {
      throw labels.mismatch("\(images.shape[0]) labels, as many as there are images")
    }
    let values = [UInt8](labels.data)
    for (index, label) in values.enumerated() where label > 9 {
      throw DatasetError.labelOutOfRange(
        file: labels.file, record: index, offset: 8 + index, field: "label", value: Int(label),
        range: 0...9)
    }
    let shape = ImageShape(height: images.shape[1], width: images.shape[2], channels: 1)
    return try Dataset(
      name: "mnist", split: split, shape: shape,
      images: ByteImages(shape: shape, storage: .data(images.data, isMapped: false)),
      labels: values.map(Int32.init), classes: (0...9).map(String.init), augmentation: .mnist)
  }
}

/// An array of bytes in the idx format: two zeros, type 8, the number of dimensions, each of them
/// as a big-endian 32-bit number, the bytes.
struct IDX {
  let file: String
  let shape: [Int]
  let data: Data

  /// The largest side of an image and the largest array; MNIST's has 47 million bytes.
  private static let (mostSide, mostBytes) = (65_536, 1 << 32)

  /// - Throws: `DatasetError.damaged` naming the file.
  init(_ bytes: Data, file: String) throws {
    self.file = file
    func damaged(_ reason: String) -> DatasetError { .damaged(file: file, reason: reason) }
    let head = [UInt8](bytes.prefix(16))
    guard head.count >= 4, head[0] == 0, head[1] == 0 else {
      throw damaged("no idx file: expected to start with two zeros, type and dimensions")
    }
    guard head[2] == 8 else { throw damaged("idx type \(head[2]), expected 8 (unsigned bytes)") }
    let rank = Int(head[3])
    guard (1...3).contains(rank) else { throw damaged("\(rank) dimensions, expected 1...3") }
    guard head.count >= 4 + 4 * rank else { throw damaged("truncated: the header is not whole") }
    shape = (0..<rank).map { place in
      head[(4 + 4 * place)..<(8 + 4 * place)].reduce(0) { $0 << 8 | Int($1) }
    }
    guard shape.allSatisfy({ $0 > 0 }) else { throw DatasetError.empty(file: file) }
    guard shape.dropFirst().allSatisfy({ $0 <= Self.mostSide }) else {
      throw damaged("extents \(shape), expected images of at most \(Self.mostSide) a side")
    }
    let product = shape.reduce(1) {
      $0.multipliedReportingOverflow(by: $1).overflow ? .max : $0 * $1
    }
    data = bytes.dropFirst(4 + 4 * rank)
    guard data.count == product else {
      throw damaged("\(data.count) bytes behind the header, expected \(product) for \(shape)")
    }
  }

  func mismatch(_ expected: String) -> DatasetError {
    .damaged(file: file, reason: "idx array of \(shape), expected \(expected)")
  }

  /// A file's bytes, decompressed where it is gzip.
  static func contents(_ path: String) throws -> Data {
    let size = try CIFAR.size(of: path)
    guard size <= mostBytes else {
      throw DatasetError.oversized(file: path, bytes: size, limit: mostBytes)
    }
    let data: Data
    do {
      data = try Data(contentsOf: URL(fileURLWithPath: path))
    } catch {
      throw DatasetError.unreadable(path: path, reason: oneLine(error))
    }
    guard Gzip.matches(data) else { return data }
    return try readingArchive { try Gzip.decompress(data, file: path, limit: mostBytes) }
  }
}
