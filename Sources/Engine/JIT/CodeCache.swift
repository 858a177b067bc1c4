import Foundation

/// Object code on disk, one file a key: the key itself, a checksum and the code.
///
/// Files are written atomically; one that is damaged, or belongs to another key, is as good as
/// absent. The oldest files go when all together exceed the limit.
struct CodeCache: Sendable {
  let folder: URL
  let limit: Int
  /// Receives why a file could not be used.
  var onProblem: @Sendable (String) -> Void = { Notices.say($0) }

  /// `$XDG_CACHE_HOME/clat`, by default `~/.cache/clat`; nil where neither can be made.
  static func standard() -> CodeCache? {
    let environment = ProcessInfo.processInfo.environment
    let base =
      environment["XDG_CACHE_HOME"].flatMap { $0.hasPrefix("/") ? $0 : nil }
      ?? environment["HOME"].map { $0 + "/.cache" }
    return base.flatMap { CodeCache(folder: $0 + "/clat", limit: 64 << 20) }
  }

  /// The cache in a folder, made where it is missing.
  ///
  /// nil where the folder cannot be made, or others may write to it: what lies there is executed.
  init?(folder: String, limit: Int) {
    self.folder = URL(fileURLWithPath: folder, isDirectory: true)
    self.limit = limit
    let manager = FileManager.default
    try? manager.createDirectory(
      at: self.folder, withIntermediateDirectories: true,
      attributes: [.posixPermissions: 0o700])
    guard let attributes = try? manager.attributesOfItem(atPath: folder),
      let owner = attributes[.ownerAccountID] as? Int, owner == Int(getuid()),
      let mode = attributes[.posixPermissions] as? Int, mode & 0o022 == 0
    else { return nil }
  }

  func read(_ key: String) -> Data? {
    let file = url(key)
    guard let data = try? Data(contentsOf: file) else { return nil }
    do {
      let code = try CodeFile.decode(data, key: key)
      try? FileManager.default.setAttributes([.modificationDate: Date()], ofItemAtPath: file.path)
      return code
    } catch {
      onProblem("ignoring compiled code in \(file.path): \(error)")
      return nil
    }
  }

  func write(_ key: String, _ code: Data) {
    do {
      try CodeFile.encode(code, key: key).write(to: url(key), options: .atomic)
      try trim()
    } catch {
      onProblem("cannot keep compiled code in \(folder.path): \(error.localizedDescription)")
    }
  }

  private func url(_ key: String) -> URL {
    folder.appendingPathComponent("fused-" + CodeFile.hex(CodeFile.checksum(Data(key.utf8))) + ".o")
  }

  private func trim() throws {
    let keys: Set<URLResourceKey> = [.fileSizeKey, .contentModificationDateKey]
    let files = try FileManager.default.contentsOfDirectory(
      at: folder, includingPropertiesForKeys: Array(keys)
    ).filter { $0.lastPathComponent.hasPrefix("fused-") }.compactMap { file in
      (try? file.resourceValues(forKeys: keys)).map {
        (file: file, bytes: $0.fileSize ?? 0, date: $0.contentModificationDate ?? .distantPast)
      }
    }
    var total = files.reduce(0) { $0 + $1.bytes }
    for entry in files.sorted(by: { $0.date < $1.date }) where total > limit {
      try? FileManager.default.removeItem(at: entry.file)
      total -= entry.bytes
    }
  }
}

/// The layout of a file: `clat-code 1`, a checksum, the key's length, the key, the code.
enum CodeFile {
  private static let magic = "clat-code 1\n"

  struct Damage: Error, CustomStringConvertible {
    var description: String
  }

  static func encode(_ code: Data, key: String) -> Data {
    let body = Data(key.utf8) + code
    let header = "\(magic)\(hex(checksum(body))) \(key.utf8.count)\n"
    return Data(header.utf8) + body
  }

  static func decode(_ data: Data, key: String) throws -> Data {
    let expected = Data(key.utf8)
    guard data.starts(with: Data(magic.utf8)) else { throw Damage(description: "no such file") }
    let rest = data.dropFirst(magic.utf8.count)
    guard let end = rest.firstIndex(of: UInt8(ascii: "\n")) else {
      throw Damage(description: "it ends early")
    }
    let body = rest[(end + 1)...]
    guard String(decoding: rest[..<end], as: UTF8.self)
      == "\(hex(checksum(Data(body)))) \(expected.count)"
    else { throw Damage(description: "its checksum is wrong") }
    guard body.starts(with: expected) else { throw Damage(description: "it holds other code") }
    return Data(body.dropFirst(expected.count))
  }

  /// FNV-1a of 64 bits.
  static func checksum(_ data: Data) -> UInt64 {
    data.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x0000_0100_0000_01b3 }
  }

  static func hex(_ value: UInt64) -> String {
    let digits = String(value, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }
}
