import Foundation

/// Reads little-endian numbers and runs of bytes one after the other, never beyond the end.
struct ByteReader {
  /// The bytes ended before what was to be read.
  struct EndOfBytes: Error {}

  let data: Data
  /// The place of the next byte, from 0.
  private(set) var offset: Int

  init(_ data: Data, at offset: Int = 0) throws {
    guard (0...data.count).contains(offset) else { throw EndOfBytes() }
    (self.data, self.offset) = (data, offset)
  }

  var remaining: Int { data.count - offset }

  /// The next integer, little-endian.
  mutating func integer<T: FixedWidthInteger>(_: T.Type = T.self) throws -> T {
    let size = MemoryLayout<T>.size
    guard remaining >= size else { throw EndOfBytes() }
    defer { offset += size }
    return data.withUnsafeBytes {
      T(littleEndian: $0.loadUnaligned(fromByteOffset: offset, as: T.self))
    }
  }

  /// The next integer as an Int; what is too large for one is also too large for the bytes.
  mutating func int<T: FixedWidthInteger>(_: T.Type) throws -> Int {
    guard let value = Int(exactly: try integer(T.self)) else { throw EndOfBytes() }
    return value
  }

  /// The next `count` bytes, as a slice of the data.
  mutating func bytes(_ count: Int) throws -> Data {
    guard count >= 0, count <= remaining else { throw EndOfBytes() }
    let start = data.startIndex + offset
    offset += count
    return data[start..<start + count]
  }

  /// The bytes before the next newline, which is passed over.
  mutating func line() throws -> Data {
    let rest = data[(data.startIndex + offset)...]
    guard let end = rest.firstIndex(of: UInt8(ascii: "\n")) else { throw EndOfBytes() }
    defer { offset = end + 1 - data.startIndex }
    return rest[..<end]
  }
}
