import Foundation
import TestSupport

@testable import Datasets
@testable import Storage

extension Reader {
  private static let labels: [UInt8] = [0, 0, 8, 1, 0, 0, 0, 5, 3, 1, 4, 1, 5]
  private static let images: [UInt8] =
    [0, 0, 8, 3, 0, 0, 0, 5, 0, 0, 0, 4, 0, 0, 0, 3] + (0..<60).map { UInt8($0) }

  /// The same as gzip.
  private static let packedLabels = "H4sIAAAAAAACA2Ng4GBkYGBgZWZkYWQFAO0t3JsNAAAA"
  private static let packedImages =
    "H4sIAAAAAAACA2Ng4GBmYGBgBWIWIGZmYGRiZmFlY+fg5OLm4eXjFxAUEhYRFROXkJSSlpGVk1dQVFJWUVVT19DU0tbR"
    + "1dM3MDQyNjE1M7ewtLIGAOSxxx9MAAAA"

  /// Five images or five labels, plain or as gzip.
  static let idx = Reader(
    name: "idx",
    corpus: {
      let packed = [packedImages, packedLabels].compactMap { Data(base64Encoded: $0) }
      return try [images, labels] + packed.map { [UInt8]($0) } + goldens("archives", "gz")
    },
    errors: [DatasetError.self],
    read: { bytes in
      let isPacked = Gzip.matches(bytes)
      let plain =
        isPacked ? try readingArchive { try Gzip.decompress(bytes, file: "f") } : bytes
      let array = try IDX(plain, file: "f")
      let isImages = array.shape.count > 1
      let data = try MNIST.dataset(
        images: isImages ? array : IDX(Data(images), file: "f"),
        labels: isImages ? IDX(Data(labels), file: "f") : array, split: .test)
      return "\(isPacked) \(isImages) \(try contents(data))"
    })

  static let npz = Reader(
    name: "npz",
    corpus: { try goldens("images", "npz") + goldens("archives", "zip") },
    errors: [DatasetError.self],
    read: { try contents(NPZ.decode($0, file: "f", split: .train)) })

  private static func array(_ header: String, _ values: [UInt8]) -> [UInt8] {
    [0x93] + Array("NUMPY".utf8) + [1, 0, UInt8(header.utf8.count), 0] + Array(header.utf8) + values
  }

  private static let classes = array(
    "{'descr': '|u1', 'fortran_order': False, 'shape': (3,), }", [1, 2, 3])
  private static let pixels = array(
    "{'descr': '|u1', 'fortran_order': False, 'shape': (3, 2, 2, 3), }", [UInt8](0..<36))

  /// Images or labels in an archive, behind its checksums.
  static let npy = Reader(
    name: "npy",
    corpus: {
      let wide = array(
        "{'descr': '<i8', 'fortran_order': False, 'shape': (3, 1), }",
        [UInt8](repeating: 0, count: 24))
      return [classes, pixels, wide]
    },
    errors: [DatasetError.self],
    read: { bytes in
      let isImages = try NPY(bytes, file: "f").shape.count > 2
      var writer = ZipWriter()
      try writer.add("image.npy", isImages ? bytes : Data(pixels), file: "f")
      try writer.add("label.npy", isImages ? Data(classes) : bytes, file: "f")
      return try contents(NPZ.decode(writer.encoded(), file: "f", split: .train))
    })

  /// Records of CIFAR-100 after a byte 1, otherwise of CIFAR-10.
  static let cifar = Reader(
    name: "cifar",
    corpus: {
      [CIFAR.cifar10, .cifar100].flatMap { kind in
        (1...3).map { count in
          let labels = kind.labelFields.map { UInt8($0.range.upperBound) }
          let record = labels + [UInt8](repeating: 7, count: 3072)
          return [kind == .cifar100 ? 1 : 0] + (0..<count).flatMap { _ in record }
        }
      }
    },
    errors: [DatasetError.self],
    read: { bytes in
      let kind: CIFAR = bytes.first == 1 ? .cifar100 : .cifar10
      var records = CIFAR.Records()
      try kind.decode(bytes.dropFirst(), file: "f", into: &records)
      let top = kind.labelFields.last?.range.upperBound ?? 0
      guard records.labels.allSatisfy({ (0...Int32(top)).contains($0) }),
        records.pixels.count == records.labels.count * 3072
      else { throw Broken() }
      return "\(kind) \(records.labels.count)"
    })

  /// A data set that does not have what it says.
  private struct Broken: Error {}

  private static func contents(_ data: Dataset) throws -> String {
    let pixels = try data.pixels()
    guard pixels.count == data.count * data.shape.count, data.labels.count == data.count else {
      throw Broken()
    }
    return "\(data.shape.channels)"
  }
}
