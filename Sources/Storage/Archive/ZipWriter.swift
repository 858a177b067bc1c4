import CZlib
import Foundation

/// Writes ZIP archives of stored entries, whose bytes start at multiples of 64 (as PyTorch aligns
/// them, so that a file can be mapped). The same entries give the same bytes.
struct ZipWriter {
  private struct Entry {
    let name: Data
    let contents: Data
    let padding: Int
    let offset: Int
    let checksum: UInt32
  }

  private static let alignment = 64
  private var entries: [Entry] = []
  private var end = 0

  /// Adds a file. Throws `StorageError.invalid` beyond ZIP's 4 GiB and 65535 entries.
  mutating func add(_ name: String, _ contents: Data, file: String) throws {
    let name = Data(name.utf8)
    // Padding stands in an extra field, which has 4 bytes of its own.
    let start = end + 30 + name.count + 4
    let padding = (Self.alignment - start % Self.alignment) % Self.alignment
    let checksum = contents.withUnsafeBytes {
      crc32_z(0, $0.baseAddress?.assumingMemoryBound(to: UInt8.self), $0.count)
    }
    let entry = Entry(
      name: name, contents: contents, padding: padding, offset: end,
      checksum: UInt32(truncatingIfNeeded: checksum))
    end = start + padding + contents.count
    entries.append(entry)
    guard end <= 0xf000_0000, entries.count < 0xffff, name.count < 0xffff else {
      throw StorageError(.invalid, file: file, "too large for a ZIP archive of 4 GiB")
    }
  }

  /// Writes the archive atomically.
  func write(to path: String) throws {
    let directory = self.directory()
    try AtomicFile.write(to: path, bytes: end + directory.count) { sink in
      for entry in entries {
        try sink.write(header(entry))
        try sink.write(entry.contents)
      }
      try sink.write(directory)
    }
  }

  /// The bytes that `write` writes.
  func encoded() -> Data {
    entries.reduce(into: Data()) { $0 += header($1) + $1.contents } + directory()
  }

  private func header(_ entry: Entry) -> Data {
    var bytes = Data()
    bytes.appendInteger(UInt32(0x0403_4b50))
    bytes.append(common(entry, extra: 4 + entry.padding))
    bytes += entry.name
    // 'FB', PyTorch's field of padding.
    bytes.appendInteger(UInt16(0x4246))
    bytes.appendInteger(UInt16(entry.padding))
    return bytes + Data(count: entry.padding)
  }

  private func directory() -> Data {
    var bytes = Data()
    for entry in entries {
      bytes.appendInteger(UInt32(0x0201_4b50))
      bytes.appendInteger(UInt16(20))
      bytes.append(common(entry, extra: 0))
      // Comment, disk, attributes.
      bytes += Data(count: 10)
      bytes.appendInteger(UInt32(entry.offset))
      bytes += entry.name
    }
    let size = bytes.count
    bytes.appendInteger(UInt32(0x0605_4b50))
    bytes.appendInteger(UInt32(0))
    bytes.appendInteger(UInt16(entries.count))
    bytes.appendInteger(UInt16(entries.count))
    bytes.appendInteger(UInt32(size))
    bytes.appendInteger(UInt32(end))
    bytes.appendInteger(UInt16(0))
    return bytes
  }

  /// What both headers say, from the version to the extra field's length.
  private func common(_ entry: Entry, extra: Int) -> Data {
    var bytes = Data()
    // Version 2.0, UTF-8 names, stored, 1 January 1980.
    for value: UInt16 in [20, 0x0800, 0, 0, 0x21] { bytes.appendInteger(value) }
    bytes.appendInteger(entry.checksum)
    bytes.appendInteger(UInt32(entry.contents.count))
    bytes.appendInteger(UInt32(entry.contents.count))
    bytes.appendInteger(UInt16(entry.name.count))
    bytes.appendInteger(UInt16(extra))
    return bytes
  }
}

extension Data {
  /// Appends an integer, little-endian.
  mutating func appendInteger<T: FixedWidthInteger>(_ value: T) {
    Swift.withUnsafeBytes(of: value.littleEndian) { append(contentsOf: $0) }
  }
}
