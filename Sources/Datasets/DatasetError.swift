/// Why a data set cannot be used, in one line that names the file and what was expected.
public enum DatasetError: Error, Equatable, Sendable, CustomStringConvertible {
  /// Nothing at `path`, where `expected` should be.
  case missing(path: String, expected: String)
  /// The system refused to read `path`.
  case unreadable(path: String, reason: String)
  /// `bytes` is no multiple of `recordBytes`: the last record is cut.
  case truncated(file: String, bytes: Int, recordBytes: Int)
  /// The file holds more than `limit` bytes, the most that its kind can have.
  case oversized(file: String, bytes: Int, limit: Int)
  /// Record `record` (0-based) has `value` in the label `field` at byte `offset` of the file.
  case labelOutOfRange(
    file: String, record: Int, offset: Int, field: String, value: Int, range: ClosedRange<Int>)
  /// The file does not hold what its kind says; `reason` says what is wrong or was expected.
  case damaged(file: String, reason: String)
  /// A file, or a selection, without records.
  case empty(file: String)
  /// Several folders below `path` hold a data set.
  case ambiguous(path: String, candidates: [String])
  /// A wrong argument: what was given and what was expected.
  case invalid(String)

  /// Whether the input is absent (as opposed to present and bad).
  public var isMissing: Bool {
    if case .missing = self { true } else { false }
  }

  public var description: String {
    switch self {
    case .missing(let path, let expected): "\(path): not found, expected \(expected)"
    case .unreadable(let path, let reason): "\(path): cannot be read: \(reason)"
    case .truncated(let file, let bytes, let recordBytes):
      "\(file): truncated: \(bytes) bytes, expected a multiple of \(recordBytes); record "
        + "\(bytes / recordBytes) has only \(bytes % recordBytes) bytes"
    case .oversized(let file, let bytes, let limit):
      "\(file): \(bytes) bytes, expected at most \(limit)"
    case .labelOutOfRange(let file, let record, let offset, let field, let value, let range):
      "\(file): record \(record), byte offset \(offset): \(field) \(value), expected "
        + "\(range.lowerBound)...\(range.upperBound)"
    case .damaged(let file, let reason): "\(file): \(reason)"
    case .empty(let file): "\(file): no records, expected at least one"
    case .ambiguous(let path, let candidates):
      "\(path): several data sets (\(candidates.joined(separator: ", "))), name one of them"
    case .invalid(let problem): problem
    }
  }
}
