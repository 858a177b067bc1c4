import CZlib
import Foundation

/// A ZIP archive in memory, zip64 included (PKWARE's APPNOTE 6.3): its entries, stored or
/// compressed by deflate.
///
/// What the archive says is checked before memory is taken: entries lie inside the archive and do
/// not overlap, and none is longer than 1032 times its compressed bytes, which is as far as deflate
/// goes. Reading an entry takes its declared size, and stored ones take none.
public struct ZipArchive: Sendable {
  /// One file in the archive.
  public struct Entry: Sendable, Equatable {
    /// With folders, separated by `/`.
    public let name: String
    /// Bytes of the contents.
    public let size: Int
    let isDeflated: Bool
    let checksum: UInt32
    /// The place of the bytes in the archive.
    let bytes: Range<Int>
  }

  /// In the order of the archive's directory.
  public let entries: [Entry]
  let file: String
  let data: Data
  private let places: [String: Int]

  /// Whether data starts as a ZIP archive does.
  public static func matches(_ data: Data) -> Bool {
    data.starts(with: [0x50, 0x4b, 3, 4]) || data.starts(with: [0x50, 0x4b, 5, 6])
  }

  /// Reads and checks the directory.
  ///
  /// - Parameter file: named in errors.
  /// - Throws: `StorageError.damaged` with the file, the entry and what was expected.
  public init(_ data: Data, file: String) throws {
    (self.data, self.file) = (data, file)
    entries = try ZipDirectory(data, file: file).entries()
    places = Dictionary(uniqueKeysWithValues: entries.enumerated().map { ($1.name, $0) })
  }

  /// - Throws: `StorageError`: `missing`, `damaged`.
  public static func read(_ path: String) throws -> ZipArchive {
    try ZipArchive(InputFile.readAll(path), file: path)
  }

  /// The entry named `name`, or nil.
  public subscript(name: String) -> Entry? { places[name].map { entries[$0] } }

  /// The contents of an entry, whose checksum is checked.
  ///
  /// - Returns: bytes of which the first index need not be 0.
  /// - Throws: `StorageError.damaged` with the file and the entry.
  public func contents(_ entry: Entry) throws -> Data {
    let start = data.startIndex
    let packed = data[(start + entry.bytes.lowerBound)..<(start + entry.bytes.upperBound)]
    let contents = entry.isDeflated ? try inflated(packed, entry) : packed
    let checksum = contents.withUnsafeBytes {
      crc32_z(0, $0.baseAddress?.assumingMemoryBound(to: UInt8.self), $0.count)
    }
    guard UInt32(truncatingIfNeeded: checksum) == entry.checksum else {
      throw damaged(entry, "the content does not match its checksum")
    }
    return contents
  }

  private func inflated(_ packed: Data, _ entry: Entry) throws -> Data {
    // One byte more, to see what does not end.
    var output = Data(count: entry.size + 1)
    do {
      let stream = try InflateStream(.none)
      let (read, written) = try packed.withUnsafeBytes { input in
        try output.withUnsafeMutableBytes { try stream.run(input, into: $0) }
      }
      guard written <= entry.size else {
        throw damaged(entry, "expands beyond its \(entry.size) bytes")
      }
      guard stream.ended, written == entry.size, read == packed.count else {
        throw damaged(entry, "\(written) bytes, expected \(entry.size)")
      }
    } catch let failure as InflateStream.Failure {
      throw damaged(entry, failure.problem)
    }
    return output[..<entry.size]
  }

  private func damaged(_ entry: Entry, _ problem: String) -> StorageError {
    StorageError(.damaged, file: file, "entry \(quoted(entry.name)): \(problem)")
  }
}
