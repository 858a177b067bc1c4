import Foundation
import Storage

/// Standard output for results, standard error for everything else.
enum Output {
  /// A line of the result.
  ///
  /// - Throws: Failure (74) where it cannot be written.
  static func line(_ text: String) throws { try write(text + "\n") }

  /// The result as JSON on one line.
  static func json(_ value: JSON) throws { try line(value.text()) }

  static func write(_ text: String) throws {
    do {
      try FileHandle.standardOutput.write(contentsOf: Data(text.utf8))
    } catch {
      throw Failure(.cannotWrite, "standard output: \(error.localizedDescription)")
    }
  }

  /// A line on standard error.
  static func note(_ text: String) {
    let line = text.split(whereSeparator: \.isNewline).joined(separator: "; ")
    FileHandle.standardError.write(Data((line + "\n").utf8))
  }
}

/// Rows of text with aligned columns; columns of numbers stand to the right, but never the first.
struct Table {
  private var rows: [[String]]

  init(_ header: String...) { rows = [header] }

  mutating func add(_ cells: String...) { rows.append(cells) }

  var text: String {
    let columns = rows.map(\.count).max() ?? 0
    let widths = (0..<columns).map { column in rows.map { cell($0, column).count }.max() ?? 0 }
    let numeric = (0..<columns).map { column in
      column > 0
        && rows.dropFirst().allSatisfy { row in
          cell(row, column).first.map { "-.0123456789".contains($0) } ?? true
        }
    }
    return rows.map { row in
      let cells = (0..<columns).map { column in
        let text = cell(row, column)
        let space = String(repeating: " ", count: widths[column] - text.count)
        return numeric[column] ? space + text : text + space
      }
      return String(cells.joined(separator: "  ").trimmingSuffix(while: \.isWhitespace)) + "\n"
    }.joined()
  }

  private func cell(_ row: [String], _ column: Int) -> String {
    column < row.count ? row[column] : ""
  }
}

extension BidirectionalCollection {
  fileprivate func trimmingSuffix(while predicate: (Element) -> Bool) -> SubSequence {
    var end = endIndex
    while end > startIndex, predicate(self[index(before: end)]) { end = index(before: end) }
    return self[..<end]
  }
}

extension Double {
  /// With a fixed number of decimals.
  func fixed(_ decimals: Int) -> String { String(format: "%.\(decimals)f", self) }

  /// With four digits and an exponent.
  var scientific: String { String(format: "%.3e", self) }

  /// Seconds in the unit that reads best.
  var duration: String {
    switch self {
    case ..<1e-3: (self * 1e6).fixed(1) + " us"
    case ..<1: (self * 1e3).fixed(2) + " ms"
    case ..<120: fixed(2) + " s"
    default: "\(Int(self / 60)) min \(Int(self.truncatingRemainder(dividingBy: 60))) s"
    }
  }
}
