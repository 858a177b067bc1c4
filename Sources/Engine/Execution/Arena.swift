import Foundation
import IR

/// Memory for programs that run one after another: all begin at one address, and what the largest
/// of them touches is all that is used. On huge pages where the system has them.
///
/// Address space is reserved once, as much as the machine has memory, so that growing moves
/// nothing. Pages come into being when they are first touched: by the thread that owns them, in a first run,
/// and so near its CPU.
final class Arena {
  private var mapping: UnsafeMutableRawPointer?
  private var usable = 0
  private static let hugePage = 2 << 20
  private static let capacity =
    (sysconf(Int32(_SC_PHYS_PAGES)) * sysconf(Int32(_SC_PAGESIZE)) / hugePage + 1) * hugePage

  /// The first of at least `bytes` bytes; the same address on every call.
  ///
  /// - Throws: IRError where the system does not grant them.
  func provide(_ bytes: Int) throws -> UnsafeMutableRawPointer {
    let start = try reserve()
    let huge = Arena.hugePage
    let wanted = (max(bytes, 1) + huge - 1) / huge * huge
    guard wanted > usable else { return start }
    guard wanted <= Arena.capacity, mprotect(start, wanted, PROT_READ | PROT_WRITE) == 0 else {
      throw IRError("no memory: \(bytes) bytes asked for, \(Arena.capacity) are there")
    }
    madvise(start, wanted, Int32(MADV_HUGEPAGE))
    usable = wanted
    return start
  }

  /// Begins on a huge page's border, for which one more is reserved.
  private func reserve() throws -> UnsafeMutableRawPointer {
    let huge = Arena.hugePage
    if mapping == nil {
      let mapped = mmap(
        nil, Arena.capacity + huge, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
      guard let mapped, mapped != MAP_FAILED else {
        throw IRError("no address space for an arena: \(String(cString: strerror(errno)))")
      }
      mapping = mapped
    }
    return mapping! + (huge - Int(bitPattern: mapping!) % huge) % huge
  }

  deinit { if let mapping { munmap(mapping, Arena.capacity + Arena.hugePage) } }
}

/// What the programs of a store share, because one runs at a time.
final class Workspace {
  let arena = Arena()
  let scratch = Arena()
  /// The program that ran last, whose values the arena holds.
  weak var owner: Executable?
}
