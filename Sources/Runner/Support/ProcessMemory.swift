import Foundation

/// This process's resident memory, as the kernel counts it.
enum ProcessMemory {
  /// Bytes resident now; nil where /proc does not tell.
  static var resident: Int? { status("VmRSS") }

  /// The most bytes resident since `resetPeak`.
  static var peak: Int? { status("VmHWM") }

  /// Starts the peak anew; false where the system does not let us.
  @discardableResult
  static func resetPeak() -> Bool {
    guard let file = FileHandle(forWritingAtPath: "/proc/self/clear_refs") else { return false }
    return (try? file.write(contentsOf: Data("5".utf8))) != nil
  }

  private static func status(_ field: String) -> Int? {
    guard let text = try? String(contentsOfFile: "/proc/self/status", encoding: .utf8) else {
      return nil
    }
    let line = text.split(separator: "\n").first { $0.hasPrefix(field + ":") }
    return line?.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Int($0) }
      .map { $0 * 1024 }
  }
}
