import Foundation

/// The central directory of a ZIP archive, which says where everything stands.
struct ZipDirectory {
  private static let end: UInt32 = 0x0605_4b50
  private static let end64: UInt32 = 0x0606_4b50
  private static let locator64: UInt32 = 0x0706_4b50
  private static let central: UInt32 = 0x0201_4b50
  private static let local: UInt32 = 0x0403_4b50

  private let data: Data
  private let file: String
  private let count: Int
  private let range: Range<Int>

  init(_ data: Data, file: String) throws {
    (self.data, self.file) = (data, file)
    do {
      (count, range) = try Self.locate(data, file)
    } catch is ByteReader.EndOfBytes {
      throw Self.damaged(file, "no ZIP archive: its directory's end is not there")
    }
  }

  /// All entries, checked.
  func entries() throws -> [ZipArchive.Entry] {
    var reader = try ByteReader(data.prefix(range.upperBound), at: range.lowerBound)
    var entries: [ZipArchive.Entry] = []
    var names: Set<String> = []
    for index in 0..<count {
      do {
        let entry = try self.entry(&reader)
        guard names.insert(entry.name).inserted else {
          throw Self.damaged(file, "entry \(quoted(entry.name)): stands twice")
        }
        entries.append(entry)
      } catch is ByteReader.EndOfBytes {
        throw Self.damaged(file, "entry \(index): truncated, or outside the archive")
      }
    }
    let ordered = entries.sorted { $0.bytes.lowerBound < $1.bytes.lowerBound }
    for (one, next) in zip(ordered, ordered.dropFirst())
    where one.bytes.upperBound > next.bytes.lowerBound {
      throw Self.damaged(file, "entry \(quoted(next.name)): overlaps \(quoted(one.name))")
    }
    return entries
  }

  // MARK: - The end of the directory

  /// The number of entries, and the directory's place.
  private static func locate(_ data: Data, _ file: String) throws -> (Int, Range<Int>) {
    let start = try endRecord(data)
    var reader = try ByteReader(data, at: start + 4)
    let disks = [try reader.integer(UInt16.self), try reader.integer(UInt16.self)]
    _ = try reader.integer(UInt16.self)
    var count = try reader.int(UInt16.self)
    var (size, offset) = (try reader.int(UInt32.self), try reader.int(UInt32.self))
    if let extended = try extendedEnd(data, before: start) {
      (count, size, offset) = extended
    }
    guard disks.allSatisfy({ $0 == 0 || $0 == 0xffff }) else {
      throw damaged(file, "a ZIP archive in parts, expected a whole one")
    }
    guard offset <= start, size <= start - offset else {
      throw damaged(file, "ZIP directory of \(size) bytes at byte \(offset): outside the archive")
    }
    guard count <= size / 46 else {
      throw damaged(file, "ZIP directory of \(size) bytes, too short for \(count) entries")
    }
    return (count, offset..<offset + size)
  }

  /// Where the end record starts: its comment reaches just to the archive's end.
  private static func endRecord(_ data: Data) throws -> Int {
    var start = data.count - 22
    let first = max(0, start - 0xffff)
    while start >= first {
      var reader = try ByteReader(data, at: start)
      if try reader.integer(UInt32.self) == end {
        _ = try reader.bytes(16)
        if try reader.int(UInt16.self) == reader.remaining { return start }
      }
      start -= 1
    }
    throw ByteReader.EndOfBytes()
  }

  private static func extendedEnd(
    _ data: Data, before end: Int
  ) throws -> (count: Int, size: Int, offset: Int)? {
    guard end >= 20 else { return nil }
    var reader = try ByteReader(data, at: end - 20)
    guard try reader.integer(UInt32.self) == locator64 else { return nil }
    _ = try reader.bytes(4)
    var record = try ByteReader(data, at: reader.int(UInt64.self))
    guard try record.integer(UInt32.self) == end64 else { throw ByteReader.EndOfBytes() }
    _ = try record.bytes(28)
    return (
      try record.int(UInt64.self), try record.int(UInt64.self), try record.int(UInt64.self)
    )
  }

  // MARK: - Entries

  private func entry(_ reader: inout ByteReader) throws -> ZipArchive.Entry {
    guard try reader.integer(UInt32.self) == Self.central else {
      throw Self.damaged(file, "ZIP directory: no entry at byte \(reader.offset - 4)")
    }
    _ = try reader.bytes(4)
    let (flags, method) = (try reader.integer(UInt16.self), try reader.integer(UInt16.self))
    _ = try reader.bytes(4)
    let checksum = try reader.integer(UInt32.self)
    var (packed, size) = (try reader.int(UInt32.self), try reader.int(UInt32.self))
    let lengths = [
      try reader.int(UInt16.self), try reader.int(UInt16.self), try reader.int(UInt16.self),
    ]
    _ = try reader.bytes(8)
    var offset = try reader.int(UInt32.self)
    let name = try reader.bytes(lengths[0])
    try extend(reader.bytes(lengths[1]), &size, &packed, &offset)
    _ = try reader.bytes(lengths[2])
    let text = String(decoding: name, as: UTF8.self)
    try check(text, flags: flags, method: method, packed: packed, size: size)
    let start = try contentsStart(offset, name)
    guard start <= range.lowerBound, packed <= range.lowerBound - start else {
      throw ByteReader.EndOfBytes()
    }
    return ZipArchive.Entry(
      name: text, size: size, isDeflated: method == 8, checksum: checksum,
      bytes: start..<start + packed)
  }

  /// Takes from a zip64 field what was too large for 32 bits.
  private func extend(
    _ extra: Data, _ size: inout Int, _ packed: inout Int, _ offset: inout Int
  ) throws {
    var fields = try ByteReader(extra)
    while fields.remaining >= 4 {
      let kind = try fields.integer(UInt16.self)
      var field = try ByteReader(fields.bytes(fields.int(UInt16.self)))
      guard kind == 1 else { continue }
      if size == 0xffff_ffff { size = try field.int(UInt64.self) }
      if packed == 0xffff_ffff { packed = try field.int(UInt64.self) }
      if offset == 0xffff_ffff { offset = try field.int(UInt64.self) }
    }
  }

  private func check(
    _ name: String, flags: UInt16, method: UInt16, packed: Int, size: Int
  ) throws {
    let place = "entry \(quoted(name)): "
    guard flags & 1 == 0 else { throw Self.damaged(file, place + "encrypted") }
    guard method == 0 || method == 8 else {
      throw Self.damaged(file, place + "compression \(method), expected stored (0) or deflate (8)")
    }
    guard method == 8 || packed == size else {
      throw Self.damaged(file, place + "\(packed) bytes stored, expected \(size)")
    }
    guard size / InflateStream.maximumRatio <= packed else {
      throw Self.damaged(file, place + "\(size) bytes cannot come from \(packed) compressed ones")
    }
  }

  /// Where the bytes start, behind the entry's own header.
  private func contentsStart(_ offset: Int, _ name: Data) throws -> Int {
    var reader = try ByteReader(data, at: offset)
    guard try reader.integer(UInt32.self) == Self.local else { throw ByteReader.EndOfBytes() }
    _ = try reader.bytes(22)
    let (length, extra) = (try reader.int(UInt16.self), try reader.int(UInt16.self))
    guard try reader.bytes(length) == name else { throw ByteReader.EndOfBytes() }
    _ = try reader.bytes(extra)
    return reader.offset
  }

  private static func damaged(_ file: String, _ problem: String) -> StorageError {
    StorageError(.damaged, file: file, problem)
  }
}
