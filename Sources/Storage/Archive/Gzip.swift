import Foundation

/// gzip files (RFC 1952).
public enum Gzip {
  /// Whether data starts as a gzip file does.
  public static func matches(_ data: Data) -> Bool { data.starts(with: [0x1f, 0x8b]) }

  /// The contents of a gzip file, of all its members one after the other; checksums are checked.
  ///
  /// - Parameters:
  ///   - file: named in errors.
  ///   - limit: the most bytes that the contents may have. Whatever it is, they are at most 1032
  ///     times as long as `data`.
  /// - Throws: `StorageError.damaged` for what is torn, changed, no gzip file or beyond `limit`.
  public static func decompress(
    _ data: Data, file: String, limit: Int = 1 << 31
  ) throws -> Data {
    guard matches(data) else { throw damaged(file, "no gzip file") }
    var output = Data(count: min(limit, 4 * data.count) + 1)
    var (read, written) = (0, 0)
    repeat {
      try member(data, file: file, limit: limit, &read, &output, &written)
    } while matches(data.dropFirst(read))
    guard data.dropFirst(read).allSatisfy({ $0 == 0 }) else {
      throw damaged(file, "\(data.count - read) bytes behind the end of the gzip data")
    }
    output.count = written
    return output
  }

  private static func member(
    _ data: Data, file: String, limit: Int, _ read: inout Int, _ output: inout Data,
    _ written: inout Int
  ) throws {
    let stream = try InflateStream(.gzip)
    while !stream.ended {
      let step: (read: Int, written: Int)
      do {
        step = try data.dropFirst(read).withUnsafeBytes { input in
          try output.withUnsafeMutableBytes {
            try stream.run(input, into: .init(rebasing: $0[written...]))
          }
        }
      } catch let failure as InflateStream.Failure {
        throw damaged(file, "gzip data near byte \(read): \(failure.problem)")
      }
      (read, written) = (read + step.read, written + step.written)
      guard written <= limit else { throw damaged(file, "expands beyond \(limit) bytes") }
      if stream.ended { return }
      guard written == output.count else { throw damaged(file, "truncated gzip data") }
      output.count = min(limit, 2 * output.count) + 1
    }
  }

  private static func damaged(_ file: String, _ problem: String) -> StorageError {
    StorageError(.damaged, file: file, problem)
  }
}
