import Foundation

/// One line on a terminal's standard error that is written over; a plain line now and then where
/// that is no terminal.
final class ProgressLine {
  private let isTerminal = isatty(STDERR_FILENO) == 1
  private var lastUpdate = ContinuousClock.now
  private var isShown = false

  /// Shows `text` unless the last update is very recent.
  func update(_ fraction: Double, _ text: @autoclosure () -> String) {
    let now = ContinuousClock.now
    guard now - lastUpdate >= (isTerminal ? .milliseconds(100) : .seconds(30)) else { return }
    lastUpdate = now
    guard isTerminal else { return write(text() + "\n") }
    let width = 24
    let filled = Int(Double(width) * min(1, max(0, fraction)))
    let bar = String(repeating: "#", count: filled) + String(repeating: "-", count: width - filled)
    write("\r\u{1B}[K[\(bar)] \(text())")
    isShown = true
  }

  /// Removes the line.
  func clear() {
    guard isShown else { return }
    write("\r\u{1B}[K")
    isShown = false
  }

  private func write(_ text: String) { FileHandle.standardError.write(Data(text.utf8)) }

  /// `1:02:03` or `2:03`.
  static func clock(_ seconds: Double) -> String {
    guard seconds.isFinite else { return "?" }
    let whole = max(0, Int(seconds.rounded(.up)))
    let (hours, minutes, rest) = (whole / 3600, whole / 60 % 60, whole % 60)
    return hours > 0
      ? String(format: "%d:%02d:%02d", hours, minutes, rest)
      : String(format: "%d:%02d", minutes, rest)
  }
}
