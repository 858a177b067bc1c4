import Foundation
import IR
import Storage

/// A NumPy array (NEP 1): magic, version, the length of a header, the header as a Python dictionary
/// of `descr`, `fortran_order` and `shape`, then the values.
struct NPY {
  let file: String
  /// As NumPy writes it: `|u1`, `<i8`.
  let type: String
  let shape: [Int]
  /// The values; little-endian, the last index fastest.
  let data: Data
  let isMapped: Bool

  private static let widths = [
    "|u1": 1, "|i1": 1, "|b1": 1, "<u2": 2, "<i2": 2, "<u4": 4, "<i4": 4, "<u8": 8, "<i8": 8,
  ]

  /// - Throws: `DatasetError.damaged` naming the file.
  init(_ bytes: Data, file: String, isMapped: Bool = false) throws {
    self.file = file
    self.isMapped = isMapped
    func damaged(_ reason: String) -> DatasetError { .damaged(file: file, reason: reason) }
    let head = [UInt8](bytes.prefix(12))
    guard head.count >= 10, head.starts(with: [0x93] + Array("NUMPY".utf8)) else {
      throw damaged("no NumPy array")
    }
    guard (1...3).contains(head[6]), head[6] == 1 || head.count == 12 else {
      throw damaged("NumPy format \(head[6]), expected 1...3")
    }
    let prefix = head[6] == 1 ? 10 : 12
    let length = head[8..<prefix].reversed().reduce(0) { $0 << 8 | Int($1) }
    guard length <= min(65_536, bytes.count - prefix) else {
      throw damaged("truncated: a header of \(length) bytes")
    }
    let header = String(decoding: bytes.dropFirst(prefix).prefix(length), as: UTF8.self)
    guard let fields = Self.fields(header) else {
      throw damaged("header expected as {'descr': ..., 'fortran_order': ..., 'shape': (...)}")
    }
    (type, shape) = (fields.type, fields.shape)
    guard !fields.isFortran || shape.count < 2 else {
      throw damaged("Fortran order, expected C order")
    }
    guard let width = Self.widths[type] else {
      let name = printable(String(type.prefix(20)))
      throw damaged("values of type '\(name)', expected whole numbers")
    }
    let product = shape.reduce(width) { product, extent in
      let (value, overflow) = product.multipliedReportingOverflow(by: extent)
      return overflow ? .max : value
    }
    data = bytes.dropFirst(prefix + length)
    guard data.count == product else {
      throw damaged("\(data.count) bytes of values, expected \(product) for \(type) \(shape)")
    }
  }

  private static func fields(
    _ header: String
  ) -> (type: String, isFortran: Bool, shape: [Int])? {
    guard let type = header.firstMatch(of: /'descr':\s*'([^']*)'/),
      let order = header.firstMatch(of: /'fortran_order':\s*(True|False)/),
      let extents = header.firstMatch(of: /'shape':\s*\(([0-9, ]*)\)/)
    else { return nil }
    let parts = extents.1.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }
    let shape = parts.filter { !$0.isEmpty }.compactMap { Int($0) }
    guard shape.count == parts.count(where: { !$0.isEmpty }), shape.count <= 8 else { return nil }
    return (String(type.1), order.1 == "True", shape)
  }

  func mismatch(_ expected: String) -> DatasetError {
    .damaged(file: file, reason: "\(type) \(shape), expected \(expected)")
  }

  /// Classes: whole numbers in [N] or [N, 1].
  func labels() throws -> [Int32] {
    guard shape.count == 1 || (shape.count == 2 && shape[1] == 1) else {
      throw mismatch("labels of shape [N]")
    }
    let width = Self.widths[type] ?? 1
    let isSigned = type.contains("i")
    let most = 65_535
    return try data.withUnsafeBytes { bytes in
      try (0..<shape[0]).map { index in
        var word: UInt64 = 0
        for place in (0..<width).reversed() {
          word = word << 8 | UInt64(bytes[index * width + place])
        }
        let isNegative = isSigned && width < 8 && word >> (8 * UInt64(width) - 1) == 1
        guard !isNegative, word <= UInt64(most) else {
          let value =
            isSigned
            ? Int(truncatingIfNeeded: word << (64 - 8 * UInt64(width))) >> (64 - 8 * width)
            : Int(clamping: word)
          throw DatasetError.labelOutOfRange(
            file: file, record: index, offset: bytes.count - data.count + index * width,
            field: "label", value: value, range: 0...most)
        }
        return Int32(word)
      }
    }
  }
}
