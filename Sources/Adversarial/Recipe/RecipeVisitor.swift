import IR

/// Goes through a recipe's sections and keys, to read or to write them. Each is named once, in
/// `visit`, so that what is written is what can be read.
protocol RecipeVisitor {
  mutating func section(_ name: String, _ body: (inout Self) throws -> Void) throws
  /// `note` is a comment for the reader of a written recipe.
  mutating func value<V: RecipeValue>(_ key: String, _ value: inout V, note: String?) throws
}

extension RecipeVisitor {
  mutating func value<V: RecipeValue>(_ key: String, _ value: inout V) throws {
    try self.value(key, &value, note: nil)
  }

  /// A choice of the engine's own enumerations, by their names.
  mutating func choice<V: RawRepresentable & CaseIterable & Equatable>(
    _ key: String, _ value: inout V
  ) throws where V.RawValue == String {
    var name = Choice(value)
    try self.value(key, &name)
    value = name.value
  }

  /// A distance; the written recipe shows both of its forms.
  mutating func distance(_ key: String, _ value: inout Epsilon) throws {
    try self.value(key, &value, note: "\(value)")
  }
}

private struct Choice<Value: RawRepresentable & CaseIterable & Equatable>: RecipeValue
where Value.RawValue == String {
  var value: Value

  init(_ value: Value) { self.value = value }

  static var expected: String { Value.allCases.map(\.rawValue).joined(separator: " | ") }

  init?(_ node: RecipeNode) {
    guard let value = node.text.flatMap(Value.init(rawValue:)) else { return nil }
    self.value = value
  }

  var recipeText: String { value.rawValue.recipeText }
}

/// Reads values from a node; what is not there keeps its default.
struct RecipeReader: RecipeVisitor {
  private let node: RecipeNode
  private let path: [String]
  private var known: [String] = []

  /// - Throws: RecipeError where the node is no section.
  init(_ node: RecipeNode, path: [String] = []) throws {
    if case .map = node.content {
      self.node = node
    } else if node.isNull {
      self.node = RecipeNode(content: .map([]), place: node.place)
    } else {
      let name = path.isEmpty ? "the recipe" : path.joined(separator: ".")
      throw RecipeError(
        "\(node.place): \(name): expected a section with keys, found \(node.found)")
    }
    self.path = path
  }

  mutating func section(_ name: String, _ body: (inout RecipeReader) throws -> Void) throws {
    known.append(name)
    guard let child = node[name] else { return }
    var reader = try RecipeReader(child, path: path + [name])
    try body(&reader)
    try reader.finish()
  }

  mutating func value<V: RecipeValue>(_ key: String, _ value: inout V, note: String?) throws {
    known.append(key)
    guard let child = node[key] else { return }
    guard let read = V(child) else {
      let name = (path + [key]).joined(separator: ".")
      throw RecipeError("\(child.place): \(name): expected \(V.expected), found \(child.found)")
    }
    value = read
  }

  /// - Throws: RecipeError for a key that nothing has asked for.
  func finish() throws {
    guard case .map(let entries) = node.content else { return }
    for entry in entries where !known.contains(entry.key) {
      let section = path.isEmpty ? "" : " in '\(path.joined(separator: "."))'"
      let hint =
        nearest(to: entry.key, in: known).map { "did you mean '\($0)'?" }
        ?? "known: \(known.joined(separator: ", "))"
      throw RecipeError("\(entry.place): unknown key '\(entry.key)'\(section); \(hint)")
    }
  }
}

/// Writes every value as YAML.
struct RecipeWriter: RecipeVisitor {
  private(set) var text = ""
  private var indent = ""

  mutating func section(_ name: String, _ body: (inout RecipeWriter) throws -> Void) throws {
    text += "\(indent)\(name):\n"
    indent += "  "
    try body(&self)
    indent.removeLast(2)
  }

  mutating func value<V: RecipeValue>(_ key: String, _ value: inout V, note: String?) throws {
    text += "\(indent)\(key): \(value.recipeText)\(note.map { "  # \($0)" } ?? "")\n"
  }
}
