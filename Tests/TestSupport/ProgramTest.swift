import Foundation
import IR

/// One test of a `.ir` file: a graph in text, what to do with it, and what must come out.
///
/// A file holds one or more, separated by lines `// -----`. Directives are comments: `PASS: name,
/// name` (passes of the pipeline; none for a mere round trip), `TAPS: name, name`, `FREEZE: name,
/// name`, `FREEZES_BATCH_NORMS: false`, `MASKS: name, name`, `ERROR: text` where the passes must
/// fail with an error that contains the text, `TOLERANCE: x` of the comparison of results, and the
/// CHECK lines.
public struct ProgramTest: Sendable, CustomStringConvertible {
  public var file: String
  public var line: Int
  public var source: String

  public var description: String { "\(file):\(line)" }

  /// The tests of a folder's `.ir` files, in order.
  public static func load(folder: String) throws -> [ProgramTest] {
    let names = try FileManager.default.contentsOfDirectory(atPath: folder)
      .filter { $0.hasSuffix(".ir") }.sorted()
    return try names.flatMap { name in
      try split(String(contentsOfFile: folder + "/" + name, encoding: .utf8), file: name)
    }
  }

  private static func split(_ text: String, file: String) -> [ProgramTest] {
    var tests = [ProgramTest(file: file, line: 1, source: "")]
    for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated()
    {
      if line == "// -----" {
        tests.append(ProgramTest(file: file, line: index + 2, source: ""))
      } else {
        tests[tests.count - 1].source += line + "\n"
      }
    }
    return tests
  }

  public func graph() throws -> Graph { try Graph(parsing: source) }

  /// The words of a directive, separated by commas.
  public func directive(_ name: String) -> [String] {
    let prefix = "// \(name):"
    return source.split(separator: "\n").filter { $0.hasPrefix(prefix) }.flatMap { line in
      line.dropFirst(prefix.count).split(separator: ",").map {
        $0.trimmingCharacters(in: .whitespaces)
      }
    }
  }

  /// The text of the directive `ERROR`.
  public var expectedError: String? {
    source.split(separator: "\n").first { $0.hasPrefix("// ERROR:") }.map {
      $0.dropFirst("// ERROR:".count).trimmingCharacters(in: .whitespaces)
    }
  }

  public var tolerance: Double { directive("TOLERANCE").first.flatMap(Double.init) ?? 1e-10 }

  /// The passes named, in the order named.
  ///
  /// - Throws: SweepError for a name that is none of the pipeline's.
  public func passes() throws -> [Pass] {
    let request = CompileRequest(
      taps: directive("TAPS"), freeze: Set(directive("FREEZE")), masks: Set(directive("MASKS")),
      freezesBatchNorms: directive("FREEZES_BATCH_NORMS") != ["false"])
    let known = Pipeline.passes(request)
    return try directive("PASS").map { name in
      guard let pass = known.first(where: { $0.name == name }) else {
        throw SweepError(message: "\(self): no pass is named '\(name)'")
      }
      return pass
    }
  }
}
