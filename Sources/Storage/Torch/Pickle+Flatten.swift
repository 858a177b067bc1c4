import Foundation
import IR

extension Pickle {
  private static let maximumDepth = 64
  private static let maximumPath = 256

  /// Calls `found` with the tensors and plain values in `root`, in order, and their paths: the keys
  /// and places that lead to them, joined by dots. A container that stands in several places counts
  /// in the first, so that there are never more leaves than the pickle has values.
  ///
  /// - Throws: PickleError for what is nested too deep.
  func visitLeaves(of root: Value, _ found: (_ path: String, Value) throws -> Void) throws {
    var seen = [Bool](repeating: false, count: containers.count)
    try visit(root, path: "", depth: 0, &seen, found)
  }

  private func visit(
    _ value: Value, path: String, depth: Int, _ seen: inout [Bool],
    _ found: (String, Value) throws -> Void
  ) throws {
    guard path.utf8.count <= Self.maximumPath else {
      throw PickleError("a name of over \(Self.maximumPath) bytes: \(quoted(path))")
    }
    guard case .container(let index) = value else { return try found(path, value) }
    guard !seen[index] else { return }
    seen[index] = true
    guard depth < Self.maximumDepth else {
      throw PickleError("nested over \(Self.maximumDepth) deep: \(quoted(path))")
    }
    func member(_ name: String) -> String { path.isEmpty ? name : path + "." + name }
    if let entries = entries(value) {
      for (key, value) in entries {
        guard let name = key.name else { continue }
        try visit(value, path: member(name), depth: depth + 1, &seen, found)
      }
    } else {
      for (place, item) in containers[index].items.enumerated() {
        try visit(item, path: member(String(place)), depth: depth + 1, &seen, found)
      }
    }
  }
}

extension Pickle.Value {
  /// A dictionary's key as a part of a path.
  fileprivate var name: String? {
    switch self {
    case .text(let text): text
    case .int(let number): String(number)
    default: nil
    }
  }

  /// A plain value for people and JSON; nil for tensors and what has no value.
  var plain: JSON? {
    switch self {
    case .none: .null
    case .bool(let value): .bool(value)
    case .int(let value): .int(value)
    case .double(let value): .double(value)
    case .text(let text): .string(printable(text))
    case .bytes(let bytes): .string("\(bytes.count) bytes")
    case .long, .container, .storage, .tensor, .global, .numpyType: nil
    }
  }
}
