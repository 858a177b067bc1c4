import Foundation

/// Keeps a second process out of a run directory.
///
/// The system releases the lock (`flock`) when its process ends, however it ends; the process id in
/// the file only serves the message.
final class RunLock {
  private let path: String
  private var descriptor: Int32

  /// - Throws: `StorageError.occupied` with the owner's process id.
  init(folder: String) throws {
    path = folder + "/.lock"
    descriptor = -1
    while descriptor < 0 { descriptor = try Self.acquire(path, folder: folder) }
    let owner = Data("\(getpid())\n".utf8)
    ftruncate(descriptor, 0)
    _ = owner.withUnsafeBytes { SystemCalls().writeAll(descriptor, $0) }
  }

  deinit { release() }

  func release() {
    guard descriptor >= 0 else { return }
    unlink(path)
    close(descriptor)
    descriptor = -1
  }

  /// A locked descriptor, or -1 where the file was removed by its former owner in between.
  private static func acquire(_ path: String, folder: String) throws -> Int32 {
    let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else { throw StorageError.system("lock", file: path, needed: 0) }
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
      let code = errno
      close(descriptor)
      guard code == EWOULDBLOCK else {
        throw StorageError.system("lock", file: path, code: code)
      }
      let owner = FileManager.default.contents(atPath: path).map {
        String(decoding: $0, as: UTF8.self)
      }
      let process = owner?.trimmingCharacters(in: .whitespacesAndNewlines) ?? ""
      throw StorageError(
        .occupied, file: folder,
        "in use by process \(process.isEmpty ? "unknown" : process), which still runs")
    }
    var held = stat()
    var named = stat()
    if fstat(descriptor, &held) == 0, stat(path, &named) == 0, held.st_ino == named.st_ino {
      return descriptor
    }
    close(descriptor)
    return -1
  }
}
