import Foundation
import IR

/// Zeroed memory on huge pages where the system has them.
///
/// Pages come into being when they are first touched: by the thread that owns them, in the first
/// run, and so near its CPU.
final class Arena {
  let start: UnsafeMutableRawPointer
  private let bytes: Int
  private static let hugePage = 2 << 20

  /// - Throws: IRError where the system does not grant the address space.
  init(bytes: Int) throws {
    let huge = Arena.hugePage
    self.bytes = (max(bytes, 1) + huge - 1) / huge * huge
    let protection = PROT_READ | PROT_WRITE
    // One page more than wanted, to begin on a page's border; what is never touched costs nothing.
    let mapped = mmap(
      nil, self.bytes + huge, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
    guard let mapped, mapped != MAP_FAILED else {
      throw IRError("no memory: \(bytes) bytes asked for, \(String(cString: strerror(errno)))")
    }
    mapping = mapped
    start = mapped + (huge - Int(bitPattern: mapped) % huge) % huge
    madvise(start, self.bytes, Int32(MADV_HUGEPAGE))
  }

  private let mapping: UnsafeMutableRawPointer

  deinit { munmap(mapping, bytes + Arena.hugePage) }
}
