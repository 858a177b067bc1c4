import Foundation

/// Writes whole files: a reader sees the earlier file or the new one, never a part, whenever the
/// process or the machine stops.
///
/// The bytes go to a temporary file in the same folder, which is synced and renamed, and then the
/// folder is synced. On any failure the temporary file is removed and the earlier file is
/// untouched.
public enum AtomicFile {
  /// Replaces the file at `path` by `data`. Throws `StorageError`, `diskFull` among them.
  public static func write(_ data: Data, to path: String) throws {
    try write(to: path, bytes: data.count) { try $0.write(data) }
  }

  /// Replaces the file at `path` by what `body` writes.
  ///
  /// - Parameter bytes: the size of the file, which the error of a full disk states.
  public static func write(
    to path: String, bytes: Int, _ body: (FileSink) throws -> Void
  ) throws {
    try write(to: path, bytes: bytes, calls: SystemCalls(), body)
  }

  static func write(
    to path: String, bytes: Int, calls: SystemCalls, _ body: (FileSink) throws -> Void
  ) throws {
    var status = stat()
    let exists = stat(path, &status) == 0
    if exists, status.st_mode & S_IFMT == S_IFDIR {
      throw StorageError(.invalid, file: path, "is a folder, expected a file's name")
    }
    if exists, status.st_mode & S_IFMT != S_IFREG {
      return try writeThrough(path, bytes: bytes, calls: calls, body)
    }
    // A link stays a link: what it points to is replaced.
    let target = exists ? URL(fileURLWithPath: path).resolvingSymlinksInPath().path : path
    let temporary = temporaryPath(for: target)
    do {
      try fill(temporary, named: path, bytes: bytes, flags: O_CREAT | O_EXCL, calls: calls, body)
      guard calls.rename(temporary, target) == 0 else {
        throw StorageError.system("replace", file: path, needed: bytes)
      }
    } catch {
      unlink(temporary)
      throw error
    }
    try syncFolder(target.parentFolder, calls: calls)
  }

  /// Devices and pipes cannot be renamed to; they are written directly.
  private static func writeThrough(
    _ path: String, bytes: Int, calls: SystemCalls, _ body: (FileSink) throws -> Void
  ) throws {
    var calls = calls
    calls.sync = { _ in 0 }
    try fill(path, named: path, bytes: bytes, flags: 0, calls: calls, body)
  }

  private static func fill(
    _ path: String, named: String, bytes: Int, flags: Int32, calls: SystemCalls,
    _ body: (FileSink) throws -> Void
  ) throws {
    let descriptor = open(path, O_WRONLY | O_CLOEXEC | flags, 0o666)
    guard descriptor >= 0 else {
      throw StorageError.system("create", file: named, needed: bytes)
    }
    do {
      try body(FileSink(descriptor: descriptor, file: named, needed: bytes, calls: calls))
      guard calls.sync(descriptor) == 0 else {
        throw StorageError.system("sync", file: named, needed: bytes)
      }
    } catch {
      close(descriptor)
      throw error
    }
    guard close(descriptor) == 0 else {
      throw StorageError.system("close", file: named, needed: bytes)
    }
  }

  private static func syncFolder(_ folder: String, calls: SystemCalls) throws {
    let descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    // A folder that may be written but not read cannot be opened, hence not synced.
    guard descriptor >= 0 else { return }
    defer { close(descriptor) }
    guard calls.sync(descriptor) == 0 || errno == EINVAL || errno == ENOTSUP else {
      throw StorageError.system("sync", file: folder)
    }
  }

  static let temporaryMark = ".clat-tmp-"

  private static func temporaryPath(for path: String) -> String {
    let name =
      "." + (path as NSString).lastPathComponent + temporaryMark
      + "\(getpid())-\(UInt32.random(in: 0 ... .max))"
    return path.parentFolder + "/" + name
  }

  /// Removes what processes that ended in the middle of a write have left in `folder`.
  static func removeLeftovers(in folder: String) {
    for name in (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? [] {
      guard name.hasPrefix("."), let mark = name.range(of: temporaryMark, options: .backwards),
        let owner = pid_t(name[mark.upperBound...].prefix { $0 != "-" }),
        kill(owner, 0) != 0, errno == ESRCH
      else { continue }
      unlink(folder + "/" + name)
    }
  }
}

/// Takes the bytes of a file that is being written.
public struct FileSink {
  let descriptor: Int32
  let file: String
  let needed: Int
  let calls: SystemCalls

  /// Appends all of `bytes`. Throws `StorageError`.
  public func write(_ bytes: UnsafeRawBufferPointer) throws {
    guard calls.writeAll(descriptor, bytes) else {
      throw StorageError.system("write", file: file, needed: needed)
    }
  }

  /// Appends all of `data`. Throws `StorageError`.
  public func write(_ data: Data) throws {
    try data.withUnsafeBytes { try write($0) }
  }
}
