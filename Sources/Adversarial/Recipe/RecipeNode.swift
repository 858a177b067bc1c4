import Yams

/// A value of a recipe's YAML with the place it comes from.
public struct RecipeNode: Sendable {
  enum Content: Sendable {
    case scalar(String, quoted: Bool)
    case list([RecipeNode])
    case map([(key: String, place: String, value: RecipeNode)])
  }

  var content: Content
  /// `recipe.yaml:7`, or the override's text.
  var place: String

  /// A scalar's text; nil for lists and maps.
  var text: String? {
    if case .scalar(let text, _) = content { text } else { nil }
  }

  var isNull: Bool {
    if case .scalar(let text, false) = content { ["", "~", "null"].contains(text) } else { false }
  }

  /// What stands there, for error messages.
  var found: String {
    switch content {
    case .scalar(let text, _): "'\(text)'"
    case .list: "a list"
    case .map: "a section"
    }
  }

  subscript(key: String) -> RecipeNode? {
    guard case .map(let entries) = content else { return nil }
    return entries.first { $0.key == key }?.value
  }
}

extension RecipeNode {
  /// Reads YAML.
  ///
  /// - Parameter place: gives the place of a line, counted from 1.
  /// - Throws: RecipeError in one line.
  static func parse(_ text: String, place: (Int) -> String) throws -> RecipeNode {
    do {
      guard let node = try Yams.compose(yaml: text) else {
        return RecipeNode(content: .map([]), place: place(1))
      }
      return try RecipeNode(node, place: place)
    } catch let error as YamlError {
      throw describe(error, place: place)
    }
  }

  private init(_ node: Node, place: (Int) -> String) throws {
    self.place = place(node.mark?.line ?? 1)
    switch node {
    case .scalar(let scalar):
      content = .scalar(
        scalar.string, quoted: scalar.style == .singleQuoted || scalar.style == .doubleQuoted)
    case .sequence(let items):
      content = .list(try items.map { try RecipeNode($0, place: place) })
    case .mapping(let mapping):
      var entries: [(key: String, place: String, value: RecipeNode)] = []
      for (key, value) in mapping {
        let line = place(key.mark?.line ?? 1)
        guard case .scalar(let name) = key else { throw RecipeError("\(line): a key must be text") }
        entries.append((name.string, line, try RecipeNode(value, place: place)))
      }
      content = .map(entries)
    case .alias:
      throw RecipeError("\(self.place): an alias without an anchor")
    }
  }

  private static func describe(_ error: YamlError, place: (Int) -> String) -> RecipeError {
    switch error {
    case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
      .composer(_, let problem, let mark, _):
      return RecipeError("\(place(mark.line)): not YAML: \(problem), column \(mark.column)")
    case .duplicatedKeysInMapping(let keys, let context):
      return RecipeError(
        "\(place(context.mark.line)): the section that begins here has key "
          + "'\(keys.min() ?? "")' twice")
    default:
      let text = "\(error)".split(whereSeparator: \.isNewline).joined(separator: " ")
      return RecipeError("\(place(1)): not YAML: \(text)")
    }
  }
}

extension RecipeNode {
  /// Applies `path.to.key=value`; the value is YAML.
  ///
  /// - Throws: RecipeError where the override has another form.
  mutating func apply(_ override: String) throws {
    let place = "--set \(override)"
    let parts = override.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
    let path = parts[0].split(separator: ".", omittingEmptySubsequences: false).map(String.init)
    guard parts.count == 2, !path.contains("") else {
      throw RecipeError("\(place): expected path.to.key=value")
    }
    var value = try RecipeNode.parse(String(parts[1])) { _ in place }
    if case .map(let entries) = value.content, entries.isEmpty {
      value.content = .scalar("", quoted: false)
    }
    try set(path[...], value, place)
  }

  private mutating func set(
    _ path: ArraySlice<String>, _ value: RecipeNode, _ place: String
  ) throws {
    guard let key = path.first else {
      self = value
      return
    }
    if isNull { content = .map([]) }
    guard case .map(var entries) = content else {
      throw RecipeError("\(place): '\(key)' lies below \(found), expected a section")
    }
    let rest = path.dropFirst()
    if let index = entries.firstIndex(where: { $0.key == key }) {
      try entries[index].value.set(rest, value, place)
      entries[index].place = place
    } else {
      var child = RecipeNode(content: .map([]), place: place)
      try child.set(rest, value, place)
      entries.append((key, place, child))
    }
    content = .map(entries)
  }
}
