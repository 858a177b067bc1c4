import Foundation
import IR

/// Why a file cannot be read or written, in one line that names it.
public struct StorageError: Error, Equatable, Sendable, CustomStringConvertible {
  /// What went wrong, for the choice of an exit code.
  public enum Kind: Sendable {
    /// The input is not there.
    case missing
    /// The input is there and is not what it should be.
    case damaged
    /// The disk or the quota is full.
    case diskFull
    /// The system refused to read or to write.
    case system
    /// Another process uses the run, or the folder holds something else.
    case occupied
    /// The caller's values cannot be stored.
    case invalid
  }

  public let kind: Kind
  public let file: String
  /// The problem without the file's name.
  public let problem: String

  public init(_ kind: Kind, file: String, _ problem: String) {
    self.kind = kind
    self.file = file
    self.problem = problem
  }

  public var description: String {
    kind == .diskFull ? "disk full: \(file): \(problem)" : "\(file): \(problem)"
  }

  /// The error of a failed system call; `needed` is the size of the file to be written, in bytes.
  static func system(
    _ operation: String, file: String, code: Int32 = errno, needed: Int? = nil
  ) -> StorageError {
    switch code {
    case ENOSPC, EDQUOT:
      StorageError(
        .diskFull, file: file, needed.map { "needed \($0) bytes" } ?? "cannot \(operation)")
    case ENOENT where needed == nil:
      StorageError(.missing, file: file, "not found")
    case EFBIG:
      StorageError(
        .system, file: file,
        "cannot \(operation): larger than the file system or the process may write"
          + (needed.map { ", needed \($0) bytes" } ?? ""))
    default:
      StorageError(.system, file: file, "cannot \(operation): \(String(cString: strerror(code)))")
    }
  }
}

/// A name from a file, quoted and safe to print.
func quoted(_ name: String) -> String { "'" + printable(name) + "'" }
