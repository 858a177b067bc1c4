import Foundation
import IR

/// A graph in IR text.
enum GraphFile {
  /// The verified graph.
  ///
  /// - Throws: Failure: 66 where there is no file, 65 with its name, line and column where that
  ///   is no graph.
  static func read(_ path: String) throws -> Graph {
    guard let data = FileManager.default.contents(atPath: path) else {
      throw Failure(.missingInput, "\(path): not found, expected a graph in IR text")
    }
    guard let text = String(data: data, encoding: .utf8) else {
      throw Failure.badData("\(path): not UTF-8 text, expected a graph")
    }
    return try Failure.blaming(.badData, path) {
      let graph = try Graph(parsing: text)
      try Verifier.verify(graph, level: .graph)
      return graph
    }
  }
}
