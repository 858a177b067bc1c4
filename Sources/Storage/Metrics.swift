import Foundation

/// One measured value.
public enum MetricValue: Sendable, Equatable {
  case int(Int)
  /// NaN and infinities are written as null (JSON) and nan (CSV).
  case double(Double)
  case bool(Bool)
  case string(String)

  /// A single-precision value with its own shortest digits: 0.1, not 0.10000000149011612.
  public static func float(_ value: Float) -> MetricValue {
    .double(Double(value.description) ?? Double(value))
  }

  var json: JSON {
    switch self {
    case .int(let value): .int(value)
    case .double(let value): .double(value)
    case .bool(let value): .bool(value)
    case .string(let value): .string(value)
    }
  }

  var csv: String {
    switch self {
    case .double(let value) where !value.isFinite: "nan"
    case .string(let value): Self.csvQuoted(value)
    default: json.text()
    }
  }

  /// A field in quotes where its text needs them (RFC 4180).
  static func csvQuoted(_ text: String) -> String {
    guard text.contains(where: { $0 == "," || $0 == "\"" || $0.isNewline }) else { return text }
    return "\"" + text.replacingOccurrences(of: "\"", with: "\"\"") + "\""
  }
}

extension MetricValue: Decodable {
  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    if container.decodeNil() {
      self = .double(.nan)
    } else if let value = try? container.decode(Bool.self) {
      self = .bool(value)
    } else if let value = try? container.decode(Int.self) {
      self = .int(value)
    } else if let value = try? container.decode(Double.self) {
      self = .double(value)
    } else {
      self = .string(try container.decode(String.self))
    }
  }
}

/// A run's measurements: `metrics.jsonl`, one JSON object per line, and its mirror `metrics.csv`.
///
/// The JSON lines are the truth. The CSV has one column per name that has occurred, in order of
/// first occurrence, and is written anew when a name is added.
final class MetricsLog {
  private let jsonPath: String
  private let csvPath: String
  private var json: AppendFile
  private var csv: AppendFile
  private var columns: [String] = []

  /// Opens the log in `folder`; a last line that is not whole is dropped.
  init(folder: String) throws {
    jsonPath = folder + "/metrics.jsonl"
    csvPath = folder + "/metrics.csv"
    json = try AppendFile(jsonPath)
    csv = try AppendFile(csvPath)
    try rewrite { _, _ in true }
  }

  func append(epoch: Int, step: Int, _ fields: [(String, MetricValue)]) throws {
    let record = [("epoch", .int(epoch)), ("step", .int(step))] + fields
    var names: Set<String> = []
    for (name, _) in record where !names.insert(name).inserted {
      throw StorageError(.invalid, file: jsonPath, "metric \(quoted(name)) is given twice")
    }
    try json.append(JSON.object(record.map { ($0.0, $0.1.json) }).text() + "\n")
    guard names.isSubset(of: columns) else { return try rewriteCSV(from: lines()) }
    let values = Dictionary(uniqueKeysWithValues: record)
    try csv.append(row(values))
  }

  /// The last record at or before a place, in its order; nil where there is none to be read.
  static func last(in folder: String, upTo place: (epoch: Int, step: Int)) -> JSON? {
    guard let data = try? InputFile.readAll(folder + "/metrics.jsonl") else { return nil }
    for line in data.split(separator: UInt8(ascii: "\n")).reversed().map({ Data($0) }) {
      guard let found = try? JSONDecoder().decode(Place.self, from: line),
        (found.epoch, found.step) <= place,
        let values = try? JSONDecoder().decode([String: MetricValue].self, from: line)
      else { continue }
      return .object(JSONKeys.outermost(line).map { ($0, values[$0]?.json ?? .null) })
    }
    return nil
  }

  /// Keeps the records at or before `epoch` and `step`.
  func truncate(afterEpoch epoch: Int, step: Int) throws {
    try rewrite { ($0, $1) <= (epoch, step) }
  }

  func sync() throws {
    try json.sync()
    try csv.sync()
  }

  private struct Place: Decodable {
    let epoch: Int
    let step: Int
  }

  /// The whole lines of the JSON file.
  private func lines() throws -> [Data] {
    let data = try InputFile.readAll(jsonPath)
    let end = data.lastIndex(of: UInt8(ascii: "\n")) ?? data.startIndex
    return data[..<end].split(separator: UInt8(ascii: "\n")).map { Data($0) }
  }

  private func rewrite(keeping isKept: (_ epoch: Int, _ step: Int) -> Bool) throws {
    var kept: [Data] = []
    for (number, line) in try lines().enumerated() {
      guard let place = try? JSONDecoder().decode(Place.self, from: line) else {
        throw StorageError(
          .damaged, file: jsonPath, "line \(number + 1): expected an object with epoch and step")
      }
      if isKept(place.epoch, place.step) { kept.append(line) }
    }
    let text = kept.reduce(into: Data()) { $0 += $1 + [UInt8(ascii: "\n")] }
    if try text != InputFile.readAll(jsonPath) {
      try AtomicFile.write(text, to: jsonPath)
      json = try AppendFile(jsonPath)
    }
    try rewriteCSV(from: kept)
  }

  private func rewriteCSV(from lines: [Data]) throws {
    columns = ["epoch", "step"]
    var known = Set(columns)
    for line in lines {
      for name in JSONKeys.outermost(line) where known.insert(name).inserted {
        columns.append(name)
      }
    }
    var text = columns.map(MetricValue.csvQuoted).joined(separator: ",") + "\n"
    for (number, line) in lines.enumerated() {
      guard let values = try? JSONDecoder().decode([String: MetricValue].self, from: line) else {
        throw StorageError(
          .damaged, file: jsonPath, "line \(number + 1): expected numbers, texts and truth values")
      }
      text += row(values)
    }
    try AtomicFile.write(Data(text.utf8), to: csvPath)
    csv = try AppendFile(csvPath)
  }

  private func row(_ values: [String: MetricValue]) -> String {
    columns.map { values[$0]?.csv ?? "" }.joined(separator: ",") + "\n"
  }
}
