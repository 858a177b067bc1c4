import Foundation
import TestSupport
import Testing

/// What reads files that others may have made, with small files that it reads.
struct Reader: Sendable, CustomTestStringConvertible {
  var name: String
  /// Good files, and bad ones that are worth changing.
  var corpus: @Sendable () throws -> [[UInt8]]
  /// The errors that it may throw.
  var errors: [any Error.Type]
  /// Whether its errors are one line each.
  var tellsInOneLine = true
  /// Reads a file's contents; what it returns tells results apart.
  var read: @Sendable (_ bytes: Data) throws -> String

  var testDescription: String { name }

  /// The files of Tests/Golden/`folder` that have one of the endings and are small.
  static func goldens(_ folder: String, _ endings: String...) throws -> [[UInt8]] {
    let path = GoldenFile.folder + "/" + folder
    return try FileManager.default.contentsOfDirectory(atPath: path).sorted()
      .filter { name in endings.contains { name.hasSuffix("." + $0) } }
      .compactMap { FileManager.default.contents(atPath: path + "/" + $0).map { [UInt8]($0) } }
      .filter { $0.count <= 24_000 }
  }

  /// Inputs that once broke the reader: the files of Tests/Golden/fuzz/NAME.
  var findings: [[UInt8]] {
    let folder = GoldenFile.folder + "/fuzz/" + name
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    return names.sorted().compactMap { FileManager.default.contents(atPath: folder + "/" + $0) }
      .map { [UInt8]($0) }
  }
}
