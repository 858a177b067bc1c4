/// A compile-time constant of a node.
public enum Attribute: Hashable, Sendable, CustomStringConvertible {
  case bool(Bool)
  case int(Int)
  case float(Double)
  case string(String)
  case ints([Int])
  case floats([Double])
  case region(Region)

  /// The kind's name, as error messages print it.
  public var kind: String {
    switch self {
    case .bool: "bool"
    case .int: "int"
    case .float: "float"
    case .string: "string"
    case .ints: "int list"
    case .floats: "float list"
    case .region: "region"
    }
  }

  public var description: String {
    switch self {
    case .bool(let value): "\(value)"
    case .int(let value): "\(value)"
    case .float(let value): "\(value)"
    case .string(let value): "\"\(value)\""
    case .ints(let values): "[\(values.map { "\($0)" }.joined(separator: ", "))]"
    case .floats(let values): "[\(values.map { "\($0)" }.joined(separator: ", "))]"
    case .region(let region): Printer.region(region)
    }
  }
}

/// The attributes of a node, by name.
public struct Attributes: Hashable, Sendable, ExpressibleByDictionaryLiteral {
  private var storage: [String: Attribute] = [:]

  public init() {}

  public init(dictionaryLiteral elements: (String, Attribute)...) {
    for (name, value) in elements { storage[name] = value }
  }

  public subscript(name: String) -> Attribute? {
    get { storage[name] }
    set { storage[name] = newValue }
  }

  /// Names in alphabetical order: the order of the text form.
  public var names: [String] { storage.keys.sorted() }
  public var isEmpty: Bool { storage.isEmpty }

  public func merging(_ other: Attributes) -> Attributes {
    var result = self
    for name in other.names { result[name] = other[name] }
    return result
  }

  public func bool(_ name: String) -> Bool {
    if case .bool(let value)? = storage[name] { return value }
    return false
  }

  public func int(_ name: String) -> Int {
    if case .int(let value)? = storage[name] { return value }
    return 0
  }

  public func float(_ name: String) -> Double {
    switch storage[name] {
    case .float(let value)?: return value
    case .int(let value)?: return Double(value)
    default: return 0
    }
  }

  public func string(_ name: String) -> String {
    if case .string(let value)? = storage[name] { return value }
    return ""
  }

  public func ints(_ name: String) -> [Int] {
    if case .ints(let values)? = storage[name] { return values }
    return []
  }

  public func floats(_ name: String) -> [Double] {
    switch storage[name] {
    case .floats(let values)?: return values
    case .ints(let values)?: return values.map(Double.init)
    default: return []
    }
  }

  public func region(_ name: String) -> Region? {
    if case .region(let region)? = storage[name] { return region }
    return nil
  }
}
