import Foundation
import Synchronization

/// A file that always holds the last input, also after a crash of the process.
final class Recorder {
  private let descriptor: Int32

  init(_ path: String) throws {
    descriptor = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw CocoaError(.fileWriteUnknown) }
  }

  func record(_ bytes: [UInt8]) throws {
    guard ftruncate(descriptor, off_t(bytes.count)) == 0,
      pwrite(descriptor, bytes, bytes.count, 0) == bytes.count
    else { throw CocoaError(.fileWriteUnknown) }
  }

  deinit { close(descriptor) }
}

/// The resident memory of this process, in bytes.
struct ResidentMemory {
  private let statm: FileHandle

  /// Forgets the peak until now; nothing is measured where the system has no /proc.
  init() throws {
    statm = try FileHandle(forReadingFrom: URL(fileURLWithPath: "/proc/self/statm"))
    try Data("5".utf8).write(to: URL(fileURLWithPath: "/proc/self/clear_refs"))
  }

  func now() -> Int {
    var text = [UInt8](repeating: 0, count: 128)
    let count = pread(statm.fileDescriptor, &text, text.count, 0)
    let fields = String(decoding: text.prefix(max(count, 0)), as: UTF8.self).split(separator: " ")
    return (fields.count > 1 ? Int(fields[1]) ?? 0 : 0) * Int(sysconf(Int32(_SC_PAGESIZE)))
  }

  func peak() -> Int {
    var usage = rusage()
    getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    return usage.ru_maxrss << 10
  }
}

/// Ends the process where no input was finished while it ran for a minute.
final class Watch: Sendable {
  private let beats = Atomic(0)
  private let stopped = Atomic(false)

  init(_ name: String, _ file: String) {
    // Counted in rests rather than by the clock, which goes on where the process is stopped.
    let watch = Thread { [self] in
      var (last, rests) = (0, 0)
      while !stopped.load(ordering: .relaxed) {
        usleep(200_000)
        let now = beats.load(ordering: .relaxed)
        (last, rests) = (now, now == last ? rests + 1 : 0)
        guard rests < 300 else { fatalError("\(name) does not finish with \(file)") }
      }
    }
    watch.start()
  }

  func beat() { beats.add(1, ordering: .relaxed) }
  func stop() { stopped.store(true, ordering: .relaxed) }
}
