import CImages
import Foundation

/// A value that several threads change.
final class Locked<Value>: @unchecked Sendable {
  private let lock = NSLock()
  private var value: Value

  init(_ value: Value) { self.value = value }

  func with<R>(_ body: (inout Value) throws -> R) rethrows -> R {
    lock.lock()
    defer { lock.unlock() }
    return try body(&value)
  }
}

/// Threads that may run on any CPU of the process, unlike the pinned ones that compute.
enum BackgroundThreads {
  static var usualCount: Int { max(1, min(ProcessInfo.processInfo.activeProcessorCount, 64)) }

  /// Calls `body` for `0..<count`, in no order, and returns when all is done.
  static func forEach(_ count: Int, _ body: @escaping @Sendable (Int, ImageWorkspace) -> Void) {
    let next = Locked(0)
    let done = DispatchSemaphore(value: 0)
    for _ in 0..<usualCount {
      let thread = Thread {
        clat_unpin_thread()
        let workspace = ImageWorkspace()
        while true {
          let index = next.with { next in
            defer { next += 1 }
            return next
          }
          if index >= count { break }
          body(index, workspace)
        }
        done.signal()
      }
      thread.start()
    }
    for _ in 0..<usualCount { done.wait() }
  }
}
