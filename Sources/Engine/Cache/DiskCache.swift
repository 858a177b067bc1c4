import Foundation

/// What was compiled, on disk, for later processes: code of fused regions, and whole programs. One
/// file a key.
///
/// Files are written atomically; one that is damaged, or belongs to another key, is as good as
/// absent. What was not used for the longest time goes when all together exceed the limit. Where
/// nothing can be written there is no cache, and one note says so.
public struct DiskCache: Sendable {
  /// What an entry is.
  public enum Kind: String, Sendable, CaseIterable {
    /// Object code of a fused region.
    case fused
    /// A program file.
    case program
  }

  /// A file of the cache.
  public struct Entry: Sendable {
    public var kind: Kind
    public var bytes: Int
    /// When it was last read or written.
    public var used: Date
    fileprivate var file: URL

    /// What it holds, in a few words; read from the file.
    public var about: String { CacheFile.about(file) }
  }

  public let folder: URL
  private let ownLimit: Int?
  /// Receives why a file could not be used.
  var onProblem: @Sendable (String) -> Void = { Notices.say($0) }

  /// Bytes that all files together may have, unless `setLimit` says otherwise.
  public static let defaultLimit = 256 << 20

  /// The user's: `$XDG_CACHE_HOME/clat`, by default `~/.cache/clat`; nil where it cannot be made.
  public static let standard: DiskCache? = {
    let environment = ProcessInfo.processInfo.environment
    let base =
      environment["XDG_CACHE_HOME"].flatMap { $0.hasPrefix("/") ? $0 : nil }
      ?? environment["HOME"].map { $0 + "/.cache" }
    guard let base else { return nil }
    let cache = DiskCache(folder: base + "/clat")
    if cache == nil {
      Notices.say("nothing compiled is kept: \(base)/clat cannot be made, or is not yours alone")
    }
    return cache
  }()

  /// The cache in a folder, made where it is missing.
  ///
  /// nil where the folder cannot be made, or others may write to it: what lies there is executed.
  ///
  /// - Parameter limit: in bytes; what the folder's file `limit` says unless given.
  init?(folder: String, limit: Int? = nil) {
    self.folder = URL(fileURLWithPath: folder, isDirectory: true)
    ownLimit = limit
    let manager = FileManager.default
    try? manager.createDirectory(
      at: self.folder, withIntermediateDirectories: true,
      attributes: [.posixPermissions: 0o700])
    guard let attributes = try? manager.attributesOfItem(atPath: folder),
      let owner = attributes[.ownerAccountID] as? Int, owner == Int(getuid()),
      let mode = attributes[.posixPermissions] as? Int, mode & 0o022 == 0
    else { return nil }
  }

  /// What was kept under a key.
  func read(_ kind: Kind, _ key: String) -> Data? {
    let file = url(kind, key)
    guard let data = try? Data(contentsOf: file) else { return nil }
    do {
      let contents = try CacheFile.decode(data, key: key)
      touch(file)
      return contents
    } catch {
      onProblem("ignoring what was compiled in \(file.path): \(error)")
      return nil
    }
  }

  func write(_ kind: Kind, _ key: String, about: String, _ contents: Data) {
    do {
      try CacheFile.encode(contents, key: key, about: about)
        .write(to: url(kind, key), options: .atomic)
      try trim()
    } catch {
      onProblem("cannot keep what is compiled in \(folder.path): \(error.localizedDescription)")
    }
  }

  private func url(_ kind: Kind, _ key: String) -> URL {
    folder.appendingPathComponent("\(kind.rawValue)-" + Checksum.hex(key.utf8))
  }

  private func touch(_ file: URL) {
    try? FileManager.default.setAttributes([.modificationDate: Date()], ofItemAtPath: file.path)
  }
}

extension DiskCache {
  /// All entries, the one that was used last first.
  public func entries() throws -> [Entry] {
    let keys: Set<URLResourceKey> = [.fileSizeKey, .contentModificationDateKey]
    return try FileManager.default.contentsOfDirectory(
      at: folder, includingPropertiesForKeys: Array(keys)
    ).compactMap { file in
      let kind = Kind.allCases.first { file.lastPathComponent.hasPrefix($0.rawValue + "-") }
      guard let kind, let values = try? file.resourceValues(forKeys: keys) else { return nil }
      return Entry(
        kind: kind, bytes: values.fileSize ?? 0,
        used: values.contentModificationDate ?? .distantPast, file: file)
    }.sorted { ($1.used, $1.file.path) < ($0.used, $0.file.path) }
  }

  /// Removes all entries; those of another process that go on being used are written again.
  public func clear() throws {
    for entry in try entries() { try? FileManager.default.removeItem(at: entry.file) }
  }

  /// Bytes that all files together may have.
  public var limit: Int {
    if let ownLimit { return ownLimit }
    let text = try? String(contentsOf: limitFile, encoding: .utf8)
    return text.flatMap { Int($0.trimmingCharacters(in: .whitespacesAndNewlines)) }
      ?? DiskCache.defaultLimit
  }

  /// Sets the limit, from now on and for all processes, and removes what exceeds it.
  ///
  /// - Throws: what the system says where it cannot be written.
  public func setLimit(_ bytes: Int) throws {
    try Data("\(bytes)\n".utf8).write(to: limitFile, options: .atomic)
    try trim()
  }

  private var limitFile: URL { folder.appendingPathComponent("limit") }

  private func trim() throws {
    var rest = limit
    for entry in try entries() {
      rest -= entry.bytes
      if rest < 0 { try? FileManager.default.removeItem(at: entry.file) }
    }
  }
}

/// The layout of a file: `clat-cache 1`, a checksum of the rest, the lengths of a description and
/// of the key in the first line; then description, key and contents.
enum CacheFile {
  private static let magic = "clat-cache 1"

  struct Damage: Error, CustomStringConvertible {
    var description: String
  }

  static func encode(_ contents: Data, key: String, about: String) -> Data {
    let body = Data(about.utf8) + Data(key.utf8) + contents
    let lengths = "\(about.utf8.count) \(key.utf8.count)"
    return Data("\(magic) \(checksum(lengths, body)) \(lengths)\n".utf8) + body
  }

  static func decode(_ data: Data, key: String) throws -> Data {
    let (about, length, sum, body) = try split(data)
    guard sum == checksum("\(about) \(length)", body) else {
      throw Damage(description: "its checksum is wrong")
    }
    let rest = body.dropFirst(about)
    guard length == key.utf8.count, rest.starts(with: Data(key.utf8)) else {
      throw Damage(description: "it holds something else")
    }
    return Data(rest.dropFirst(length))
  }

  /// The description in a file; what is wrong where there is none.
  static func about(_ file: URL) -> String {
    guard let handle = try? FileHandle(forReadingFrom: file),
      let data = try? handle.read(upToCount: 1024), let (about, _, _, body) = try? split(data)
    else { return "damaged, or of another version" }
    return String(decoding: body.prefix(about), as: UTF8.self)
  }

  private static func split(
    _ data: Data
  ) throws -> (about: Int, key: Int, checksum: String, body: Data) {
    guard let end = data.prefix(200).firstIndex(of: UInt8(ascii: "\n")) else {
      throw Damage(description: "it ends early")
    }
    let fields = String(decoding: data[..<end], as: UTF8.self).split(separator: " ")
    guard fields.count == 5, fields.prefix(2).joined(separator: " ") == magic,
      let about = Int(fields[3]), let key = Int(fields[4]), about >= 0, key >= 0
    else { throw Damage(description: "it is of another version") }
    return (about, key, String(fields[2]), data[(end + 1)...])
  }

  private static func checksum(_ lengths: String, _ body: Data) -> String {
    Checksum.hex(Checksum.value(body, seed: Checksum.value(lengths.utf8)))
  }
}
