import Foundation

/// Lines such as `// CHECK: relu` in a test, held against a text, after LLVM's FileCheck.
///
/// CHECK searches the lines after the last match, CHECK-NEXT the next line, CHECK-SAME the rest of
/// the line of the last match; what CHECK-NOT names must not occur between the matches around it;
/// CHECK-COUNT-n is n times CHECK. Runs of blanks count as one; `{{...}}` is a regular expression.
public struct FileCheck: Sendable {
  public enum Kind: Hashable, Sendable { case check, next, same, not }

  public struct Check: Sendable {
    public var kind: Kind
    public var pattern: String
    public var line: Int
  }

  public private(set) var checks: [Check] = []

  /// Reads the checks of a test.
  ///
  /// - Throws: SweepError naming the line of a check that is malformed.
  public init(_ source: String, firstLine: Int = 1) throws {
    for (index, line) in source.split(separator: "\n", omittingEmptySubsequences: false)
      .enumerated()
    {
      let text = line.trimmingCharacters(in: .whitespaces)
      guard text.hasPrefix("// CHECK") else { continue }
      let number = firstLine + index
      guard let colon = text.firstIndex(of: ":") else {
        throw SweepError(message: "line \(number): a check needs ':'")
      }
      let pattern = text[text.index(after: colon)...].trimmingCharacters(in: .whitespaces)
      guard !pattern.isEmpty else {
        throw SweepError(message: "line \(number): the check is empty")
      }
      try add(String(text[..<colon].dropFirst("// CHECK".count)), pattern, number)
    }
  }

  private mutating func add(_ suffix: String, _ pattern: String, _ line: Int) throws {
    let kinds: [String: Kind] = ["": .check, "-NEXT": .next, "-SAME": .same, "-NOT": .not]
    if let kind = kinds[suffix] {
      checks.append(Check(kind: kind, pattern: pattern, line: line))
    } else if suffix.hasPrefix("-COUNT-"), let count = Int(suffix.dropFirst(7)), count > 0 {
      checks += Array(repeating: Check(kind: .check, pattern: pattern, line: line), count: count)
    } else {
      throw SweepError(message: "line \(line): unknown check 'CHECK\(suffix)'")
    }
  }

  /// - Throws: SweepError naming the first check that fails and where the search began.
  public func verify(_ text: String) throws {
    var search = Search(text)
    for check in checks {
      if check.kind == .not {
        search.forbidden.append(check)
      } else {
        try search.match(check)
      }
    }
    try search.finish()
  }
}

/// Where in the text the last match ended.
private struct Search {
  let lines: [String]
  var row = 0
  var column = 0
  var forbidden: [FileCheck.Check] = []

  init(_ text: String) {
    lines = text.split(separator: "\n", omittingEmptySubsequences: false).map { line in
      line.split(whereSeparator: \.isWhitespace).joined(separator: " ")
    }
  }

  mutating func match(_ check: FileCheck.Check) throws {
    let rows: Range<Int>
    switch check.kind {
    case .next: rows = min(row + 1, lines.count)..<min(row + 2, lines.count)
    case .same: rows = row..<min(row + 1, lines.count)
    default: rows = row..<lines.count
    }
    let pattern = try expression(check)
    for candidate in rows {
      let start = candidate == row ? column : 0
      guard let end = end(of: pattern, candidate, from: start) else { continue }
      try checkForbidden(until: candidate, before: end.start)
      (row, column) = (candidate, end.end)
      return
    }
    throw SweepError(
      message: "line \(check.line): '\(check.pattern)' not found from line \(row + 1) on, in:\n"
        + lines.dropFirst(row).joined(separator: "\n"))
  }

  mutating func finish() throws { try checkForbidden(until: lines.count, before: 0) }

  /// No forbidden pattern occurs between the last match and the given place.
  private mutating func checkForbidden(until lastRow: Int, before lastColumn: Int) throws {
    for check in forbidden {
      let pattern = try expression(check)
      for candidate in row..<min(lastRow + 1, lines.count) {
        let start = candidate == row ? column : 0
        guard let found = end(of: pattern, candidate, from: start),
          candidate < lastRow || found.start < lastColumn
        else { continue }
        throw SweepError(
          message: "line \(check.line): '\(check.pattern)' must not occur: \(lines[candidate])")
      }
    }
    forbidden = []
  }

  private func end(
    of pattern: NSRegularExpression, _ row: Int, from column: Int
  ) -> (start: Int, end: Int)? {
    let line = lines[row] as NSString
    guard column <= line.length else { return nil }
    let range = NSRange(location: column, length: line.length - column)
    guard let match = pattern.firstMatch(in: lines[row], range: range) else { return nil }
    return (match.range.location, match.range.location + match.range.length)
  }

  private func expression(_ check: FileCheck.Check) throws -> NSRegularExpression {
    let text = check.pattern.split(whereSeparator: \.isWhitespace).joined(separator: " ")
    var expression = ""
    for (index, part) in text.components(separatedBy: "{{").enumerated() {
      let pieces = part.components(separatedBy: "}}")
      if index == 0 || pieces.count < 2 {
        expression += NSRegularExpression.escapedPattern(for: index == 0 ? part : "{{" + part)
      } else {
        expression += "(?:\(pieces[0]))"
        expression += NSRegularExpression.escapedPattern(
          for: pieces.dropFirst().joined(separator: "}}"))
      }
    }
    do {
      return try NSRegularExpression(pattern: expression)
    } catch {
      throw SweepError(message: "line \(check.line): '\(check.pattern)' is no pattern")
    }
  }
}
