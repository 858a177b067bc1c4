import Foundation

/// A value that a recipe can hold: read from YAML and written so that it reads back the same.
public protocol RecipeValue: Equatable {
  /// What an error message says was expected.
  static var expected: String { get }
  /// nil where the node is something else.
  init?(_ node: RecipeNode)
  var recipeText: String { get }
}

extension Int: RecipeValue {
  public static var expected: String { "a whole number" }
  public init?(_ node: RecipeNode) {
    guard let value = node.text.flatMap({ Int($0) }) else { return nil }
    self = value
  }
  public var recipeText: String { "\(self)" }
}

extension UInt64: RecipeValue {
  public static var expected: String { "a whole number from 0 to 2^64 - 1" }
  public init?(_ node: RecipeNode) {
    guard let value = node.text.flatMap({ UInt64($0) }) else { return nil }
    self = value
  }
  public var recipeText: String { "\(self)" }
}

extension Double: RecipeValue {
  public static var expected: String { "a number" }
  public init?(_ node: RecipeNode) {
    guard let value = node.text.flatMap({ Double($0) }), value.isFinite else { return nil }
    self = value
  }
  public var recipeText: String { "\(self)" }
}

extension Bool: RecipeValue {
  public static var expected: String { "true or false" }
  public init?(_ node: RecipeNode) {
    guard let value = node.text.flatMap({ Bool($0) }) else { return nil }
    self = value
  }
  public var recipeText: String { "\(self)" }
}

extension String: RecipeValue {
  public static var expected: String { "text" }
  public init?(_ node: RecipeNode) {
    guard let text = node.text, !node.isNull else { return nil }
    self = text
  }
  public var recipeText: String {
    let isPlain = wholeMatch(of: /[A-Za-z0-9_.\/][A-Za-z0-9_.\/=,+()-]*(:[A-Za-z0-9_.\/=,+()-]+)*/)
    return isPlain != nil && self != "null" ? self : quoted
  }

  /// A JSON string, which YAML reads as it is.
  private var quoted: String {
    let escaped = unicodeScalars.map { scalar in
      switch scalar {
      case "\"": "\\\""
      case "\\": "\\\\"
      case "\n": "\\n"
      case "\t": "\\t"
      case _ where scalar.value < 0x20: "\\x" + String(format: "%02x", scalar.value)
      default: String(scalar)
      }
    }
    return "\"" + escaped.joined() + "\""
  }
}

extension Epsilon: RecipeValue {
  public static var expected: String { "a distance such as 8/255 or 0.03" }
  public init?(_ node: RecipeNode) {
    guard let value = node.text.flatMap(Epsilon.init(text:)) else { return nil }
    self = value
  }
  public var recipeText: String { text }
}

extension Optional: RecipeValue where Wrapped: RecipeValue {
  public static var expected: String { "\(Wrapped.expected), or null" }
  public init?(_ node: RecipeNode) {
    if node.isNull {
      self = .none
    } else if let value = Wrapped(node) {
      self = value
    } else {
      return nil
    }
  }
  public var recipeText: String { self?.recipeText ?? "null" }
}

extension Array: RecipeValue where Element: RecipeValue {
  public static var expected: String { "a list of \(Element.expected)" }
  /// A list, or text with commas, which needs no quotes in a shell.
  public init?(_ node: RecipeNode) {
    let nodes: [RecipeNode]
    switch node.content {
    case .list(let items): nodes = items
    case .scalar(let text, quoted: false) where text.contains(","):
      nodes = text.split(separator: ",").map { item in
        let text = String(item.trimmingPrefix(while: \.isWhitespace))
        return RecipeNode(content: .scalar(text, quoted: false), place: node.place)
      }
    default: return nil
    }
    let values = nodes.compactMap(Element.init(_:))
    guard values.count == nodes.count else { return nil }
    self = values
  }
  public var recipeText: String { "[" + map(\.recipeText).joined(separator: ", ") + "]" }
}

/// A value out of a short list of names.
public protocol RecipeChoice: RecipeValue, CaseIterable, RawRepresentable where RawValue == String {
}

extension RecipeChoice {
  public static var expected: String { allCases.map(\.rawValue).joined(separator: " | ") }
  public init?(_ node: RecipeNode) {
    guard let value = node.text.flatMap(Self.init(rawValue:)) else { return nil }
    self = value
  }
  public var recipeText: String { rawValue.recipeText }
}
