import Foundation
import Testing

@testable import Storage

@Suite struct AtomicFileTests {
  /// A system that fails after `limit` bytes with `code`, takes at most 7 bytes per call and is
  /// interrupted before every one.
  private func calls(writing limit: Int, code: Int32) -> SystemCalls {
    let state = State()
    var calls = SystemCalls()
    calls.write = { descriptor, bytes, count in
      state.interrupted.toggle()
      guard !state.interrupted, state.written < limit else {
        errno = state.interrupted ? EINTR : code
        return -1
      }
      let size = min(count, 7, limit - state.written)
      state.written += size
      return Foundation.write(descriptor, bytes, size)
    }
    return calls
  }

  private final class State: @unchecked Sendable {
    var written = 0
    var interrupted = false
  }

  @Test func replacesWholeFilesAndKeepsLinks() throws {
    let folder = try TestFolder()
    try AtomicFile.write(Data("one".utf8), to: folder.file("a"))
    try AtomicFile.write(Data("two".utf8), to: folder.file("a"))
    symlink(folder.file("a"), folder.file("link"))
    try AtomicFile.write(Data("three".utf8), to: folder.file("link"))
    #expect(folder.text("a") == "three" && folder.names == ["a", "link"])
    #expect(
      try FileManager.default.destinationOfSymbolicLink(atPath: folder.file("link")).hasSuffix("a"))
  }

  /// The disk is full after 0, 1, 2 ... bytes: always the earlier file, never a leftover.
  @Test(arguments: [ENOSPC, EDQUOT, EFBIG, EIO])
  func aFailedWriteLeavesTheEarlierFile(code: Int32) throws {
    let folder = try TestFolder()
    let data = Data(repeating: 65, count: 100)
    try AtomicFile.write(Data("before".utf8), to: folder.file("a"))
    for limit in 0..<100 {
      let text = message {
        try AtomicFile.write(
          to: folder.file("a"), bytes: 100, calls: calls(writing: limit, code: code)
        ) { try $0.write(data) }
      }
      switch code {
      case ENOSPC, EDQUOT: #expect(text == "disk full: \(folder.file("a")): needed 100 bytes")
      case EFBIG:
        #expect(text.contains("larger than the file system") && text.contains("100 bytes"))
      default: #expect(text == "\(folder.file("a")): cannot write: Input/output error")
      }
      #expect(folder.text("a") == "before" && folder.names == ["a"])
    }
    try AtomicFile.write(
      to: folder.file("a"), bytes: 100, calls: calls(writing: 100, code: code)
    ) { try $0.write(data) }
    #expect(folder.text("a") == String(repeating: "A", count: 100))
  }

  @Test func failedSyncRenameAndBodyLeaveTheEarlierFile() throws {
    let folder = try TestFolder()
    try AtomicFile.write(Data("before".utf8), to: folder.file("a"))
    var sync = SystemCalls()
    sync.sync = { _ in
      errno = EIO
      return -1
    }
    var rename = SystemCalls()
    rename.rename = { _, _ in
      errno = EACCES
      return -1
    }
    for (calls, word) in [
      (sync, "sync: Input/output error"), (rename, "replace: Permission denied"),
    ] {
      let text = message {
        try AtomicFile.write(to: folder.file("a"), bytes: 1, calls: calls) {
          try $0.write(Data([1]))
        }
      }
      #expect(text == "\(folder.file("a")): cannot \(word)")
    }
    struct Stop: Error {}
    #expect(throws: Stop.self) {
      try AtomicFile.write(to: folder.file("a"), bytes: 9) { sink in
        try sink.write(Data("half".utf8))
        throw Stop()
      }
    }
    #expect(folder.text("a") == "before" && folder.names == ["a"])
  }

  @Test func devicesAndFoldersAreToldApart() throws {
    let folder = try TestFolder()
    #expect(
      message { try AtomicFile.write(Data(count: 10), to: "/dev/full") }
        == "disk full: /dev/full: needed 10 bytes")
    try AtomicFile.write(Data(count: 10), to: "/dev/null")
    #expect(message { try AtomicFile.write(Data(), to: folder.path) }.contains("is a folder"))
    #expect(
      message { try AtomicFile.write(Data(), to: folder.file("no/a")) }.hasSuffix(
        "cannot create: No such file or directory"))
  }

  /// A real full disk: a 64 KiB tmpfs, where the process may mount one.
  @Test func aFullFileSystemIsReported() throws {
    let folder = try TestFolder()
    guard mount("tmpfs", folder.path, "tmpfs", 0, "size=64k") == 0 else {
      print("not executed: a full file system (mounting a tmpfs is not permitted)")
      return
    }
    defer { umount2(folder.path, 2 /* MNT_DETACH */) }
    try AtomicFile.write(Data(repeating: 1, count: 20_000), to: folder.file("a"))
    #expect(
      message { try AtomicFile.write(Data(repeating: 2, count: 60_000), to: folder.file("a")) }
        == "disk full: \(folder.file("a")): needed 60000 bytes")
    #expect(
      FileManager.default.contents(atPath: folder.file("a")) == Data(repeating: 1, count: 20_000))
    #expect(folder.names == ["a"])
    let log = try AppendFile(folder.file("log"))
    var lines = 0
    let text = message {
      while true {
        try log.append(String(repeating: "x", count: 999) + "\n")
        lines += 1
      }
    }
    #expect(text == "disk full: \(folder.file("log")): needed 1000 bytes" && lines > 20)
    #expect(folder.text("log").utf8.count == lines * 1_000)
  }

  @Test func leftoversOfDeadProcessesAreRemoved() throws {
    let folder = try TestFolder()
    for owner in ["99999999-1", "\(getpid())-2", "x-3"] {
      try folder.write(".a\(AtomicFile.temporaryMark)\(owner)", Data())
    }
    AtomicFile.removeLeftovers(in: folder.path)
    #expect(folder.names.count == 2 && !folder.names.contains { $0.contains("99999999") })
  }
}
