import Foundation

/// The system calls that a write consists of; tests replace them to fail at a chosen point.
struct SystemCalls: Sendable {
  var write: @Sendable (Int32, UnsafeRawPointer, Int) -> Int = { Foundation.write($0, $1, $2) }
  var sync: @Sendable (Int32) -> Int32 = { fsync($0) }
  var rename: @Sendable (String, String) -> Int32 = { Foundation.rename($0, $1) }

  /// Writes all bytes, whatever the pieces in which the system takes them; false leaves `errno`.
  func writeAll(_ descriptor: Int32, _ bytes: UnsafeRawBufferPointer) -> Bool {
    var rest = bytes[...]
    while let start = UnsafeRawBufferPointer(rebasing: rest).baseAddress, !rest.isEmpty {
      let written = write(descriptor, start, min(rest.count, 1 << 30))
      if written < 0, errno == EINTR { continue }
      if written == 0 { errno = ENOSPC }
      guard written > 0 else { return false }
      rest = rest.dropFirst(written)
    }
    return true
  }
}

/// A regular file open for reading.
final class InputFile {
  let path: String
  let size: Int
  private let descriptor: Int32

  init(_ path: String) throws {
    self.path = path
    descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw StorageError.system("open", file: path) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else {
      let code = errno
      close(descriptor)
      throw StorageError.system("read", file: path, code: code)
    }
    guard status.st_mode & S_IFMT == S_IFREG else {
      close(descriptor)
      throw StorageError(.damaged, file: path, "not a regular file")
    }
    size = Int(status.st_size)
  }

  deinit { close(descriptor) }

  /// `count` bytes from byte `offset`, all of which the file is known to have.
  func read(at offset: Int, count: Int) throws -> Data {
    try Data.filled(count, file: path) { target in
      var filled = 0
      while filled < count {
        let rest = UnsafeMutableRawBufferPointer(rebasing: target[filled...])
        let got = pread(
          descriptor, rest.baseAddress, min(rest.count, 1 << 30), off_t(offset + filled))
        if got < 0, errno == EINTR { continue }
        guard got >= 0 else { throw StorageError.system("read", file: path) }
        guard got > 0 else {
          throw StorageError(
            .damaged, file: path,
            "ends at byte \(offset + filled) while it is read, expected \(size)")
        }
        filled += got
      }
    }
  }

  static func readAll(_ path: String) throws -> Data {
    let file = try InputFile(path)
    return try file.read(at: 0, count: file.size)
  }
}

extension Data {
  /// Memory for `count` bytes, which `body` writes.
  ///
  /// - Throws: `StorageError.damaged` where the machine has not so much, and what `body` throws.
  static func filled(
    _ count: Int, file: String, _ body: (UnsafeMutableRawBufferPointer) throws -> Void
  ) throws -> Data {
    guard count <= ProcessInfo.processInfo.physicalMemory, let memory = malloc(Swift.max(1, count))
    else {
      throw StorageError(.damaged, file: file, "needs \(count) bytes of memory")
    }
    do {
      try body(UnsafeMutableRawBufferPointer(start: memory, count: count))
    } catch {
      free(memory)
      throw error
    }
    return Data(bytesNoCopy: memory, count: count, deallocator: .free)
  }
}

/// A file to which whole records are appended: a record that does not fit leaves no trace.
final class AppendFile {
  let path: String
  private let descriptor: Int32
  private let calls: SystemCalls

  init(_ path: String, calls: SystemCalls = SystemCalls()) throws {
    self.path = path
    self.calls = calls
    descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else { throw StorageError.system("open", file: path, needed: 0) }
  }

  deinit { close(descriptor) }

  func append(_ text: String) throws {
    let end = lseek(descriptor, 0, SEEK_END)
    let bytes = Data(text.utf8)
    guard !bytes.withUnsafeBytes({ calls.writeAll(descriptor, $0) }) else { return }
    let code = errno
    if end >= 0 { ftruncate(descriptor, end) }
    throw StorageError.system("append", file: path, code: code, needed: bytes.count)
  }

  /// Waits until everything appended is on the disk.
  func sync() throws {
    guard calls.sync(descriptor) == 0 else { throw StorageError.system("sync", file: path) }
  }
}

extension String {
  /// The folder of the file with this path: `.` for a bare name.
  ///
  /// NSString's `deletingLastPathComponent` ends the process for a name of one letter.
  public var parentFolder: String {
    lastIndex(of: "/").map { $0 == startIndex ? "/" : String(self[..<$0]) } ?? "."
  }
}
