import Foundation
import TestSupport
import Testing

@testable import Storage

/// ZIP and gzip files: those that Python wrote (Tests/Golden/archives.py), our own, and hostile ones.
@Suite struct ArchiveTests {
  static let text = Data((0..<1000).map { "line \($0)\n" }.joined().utf8)
  static let bytes = Data((0..<300).map { UInt8($0 * $0 % 251) })

  static func golden(_ name: String) throws -> Data {
    let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    return try Data(contentsOf: folder.appendingPathComponent("../Golden/archives/\(name)"))
  }

  @Test(arguments: ["deflate.zip", "streamed.zip", "zip64.zip", "zip64-end.zip"])
  func readsPythonsArchives(_ name: String) throws {
    let archive = try ZipArchive(Self.golden(name), file: name)
    #expect(archive.entries.map(\.name) == ["folder/text.txt", "bytes", "empty"])
    #expect(archive.entries.map(\.size) == [Self.text.count, 300, 0])
    let contents = try archive.entries.map(archive.contents)
    #expect(contents == [Self.text, Self.bytes, Data()])
    #expect(archive["bytes"] == archive.entries[1] && archive["no"] == nil)
  }

  @Test func writesWhatItReads() throws {
    let folder = try TestFolder()
    var writer = ZipWriter()
    try writer.add("a/data.pkl", Self.text, file: "f")
    try writer.add("a/ü", Data(), file: "f")
    try writer.add("a/data/0", Self.bytes, file: "f")
    try writer.write(to: folder.file("a.zip"))
    let archive = try ZipArchive.read(folder.file("a.zip"))
    #expect(archive.data == writer.encoded() && ZipArchive.matches(archive.data))
    #expect(archive.entries.map(\.name) == ["a/data.pkl", "a/ü", "a/data/0"])
    #expect(archive.entries.allSatisfy { $0.bytes.lowerBound % 64 == 0 })
    #expect(try archive.entries.map(archive.contents) == [Self.text, Data(), Self.bytes])
    let empty = try ZipArchive(ZipWriter().encoded(), file: "f")
    #expect(empty.entries.isEmpty)
  }

  /// A stored archive with one entry, changed at places counted from its directory's entry.
  static func changed(_ changes: [(Int, [UInt8])]) throws -> Data {
    var writer = ZipWriter()
    try writer.add("x", bytes, file: "f")
    var data = writer.encoded()
    let directory = data.count - 22 - 47
    for (place, bytes) in changes {
      data.replaceSubrange((directory + place)..<(directory + place + bytes.count), with: bytes)
    }
    return data
  }

  static let wrong: [([(Int, [UInt8])], String)] = [
    ([(8, [1])], "entry 'x': encrypted"),
    ([(10, [12])], "entry 'x': compression 12, expected stored (0) or deflate (8)"),
    ([(24, [0])], "entry 'x': 300 bytes stored, expected 256"),
    (
      [(10, [8]), (24, [0, 0, 0, 0x40])],
      "entry 'x': 1073741824 bytes cannot come from 300 compressed ones"
    ),
    ([(10, [8])], "entry 'x': "),
    ([(16, [0, 0])], "entry 'x': the content does not match its checksum"),
    ([(42, [1])], "entry 0: truncated, or outside the archive"),
    ([(46, [0x79])], "entry 0: truncated, or outside the archive"),
    ([(23, [0x7f]), (27, [0x7f])], "entry 0: truncated, or outside the archive"),
    ([(0, [0])], "ZIP directory: no entry at byte 364"),
    ([(47 + 10, [9])], "ZIP directory of 47 bytes, too short for 9 entries"),
    ([(47 + 4, [1])], "a ZIP archive in parts, expected a whole one"),
    ([(47 + 16, [0, 9])], "ZIP directory of 47 bytes at byte 2304: outside the archive"),
    ([(47, [0])], "no ZIP archive: its directory's end is not there"),
  ]

  @Test(arguments: wrong)
  func wrongArchivesAreNamed(_ changes: [(Int, [UInt8])], _ expected: String) throws {
    let data = try Self.changed(changes)
    let text = message {
      let archive = try ZipArchive(data, file: "f")
      return try archive.contents(archive.entries[0])
    }
    #expect(text.hasPrefix("f: " + expected), "\(text)")
  }

  /// Two entries that share their bytes could expand without bound.
  @Test func overlappingEntriesAreRefused() throws {
    var writer = ZipWriter()
    try writer.add("x", Self.bytes, file: "f")
    try writer.add("x", Self.bytes, file: "f")
    var data = writer.encoded()
    #expect(message { try ZipArchive(data, file: "f") } == "f: entry 'x': stands twice")
    // A second header inside the first one's bytes.
    let second = data.count - 22 - 47
    let header = Data(data[364..<364 + 30]) + Data("y".utf8)
    data.replaceSubrange(100..<100 + header.count, with: header)
    data[second + 46] = UInt8(ascii: "y")
    data.replaceSubrange((second + 42)..<(second + 46), with: [100, 0, 0, 0])
    #expect(message { try ZipArchive(data, file: "f") } == "f: entry 'y': overlaps 'x'")
  }

  @Test func gzip() throws {
    let data = try Self.golden("two.gz")
    #expect(try Gzip.decompress(data, file: "f") == Self.text + Self.bytes)
    #expect(try Gzip.decompress(data + Data(count: 9), file: "f").count == Self.text.count + 300)
    let limit = Self.text.count + 300
    #expect(try Gzip.decompress(data, file: "f", limit: limit).count == limit)
    for small in [0, 10, Self.text.count, limit - 1] {
      #expect(
        message { try Gzip.decompress(data, file: "f", limit: small) }
          == "f: expands beyond \(small) bytes")
    }
    #expect(message { try Gzip.decompress(data.dropLast(), file: "f") } == "f: truncated gzip data")
    #expect(
      message { try Gzip.decompress(data + Data([1]), file: "f") }
        == "f: 1 bytes behind the end of the gzip data")
    #expect(message { try Gzip.decompress(Self.text, file: "f") } == "f: no gzip file")
    var changed = data
    changed[changed.count - 8] ^= 1
    #expect(
      message { try Gzip.decompress(changed, file: "f") }.hasPrefix("f: gzip data near byte"))
  }

  /// Damaged archives are refused with one line, or read as what they then say.
  @Test func damageNeverCrashes() throws {
    var mutations = Mutations(seed: 1)
    var writer = ZipWriter()
    try writer.add("x", Self.bytes, file: "f")
    try writer.add("y", Self.text.prefix(200), file: "f")
    let names = ["deflate.zip", "streamed.zip", "zip64.zip", "zip64-end.zip"]
    let corpus = try names.map(Self.golden) + [writer.encoded()]
    let gzip = try Self.golden("two.gz")
    var refused = 0
    for round in 0..<6_000 {
      do {
        if round % 4 == 0 {
          _ = try Gzip.decompress(mutations.damaged(gzip), file: "f", limit: 20_000)
        } else {
          let archive = try ZipArchive(mutations.damaged(corpus[round % 5]), file: "f")
          for entry in archive.entries { #expect(try archive.contents(entry).count == entry.size) }
        }
      } catch {
        refused += 1
        let text = String(describing: error)
        #expect(error is StorageError && text.hasPrefix("f: ") && !text.contains("\n"), "\(text)")
      }
    }
    #expect(refused > 3_000 && refused < 6_000)
  }
}
