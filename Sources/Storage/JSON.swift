import Foundation

/// A JSON value whose members keep their order, so that the same values give the same text.
public indirect enum JSON: Sendable {
  case object([(String, JSON)])
  case array([JSON])
  case string(String)
  case int(Int)
  /// Written with the fewest digits that read back to the same number; NaN and infinities as null.
  case double(Double)
  case bool(Bool)
  case null

  /// The text on one line, or with `indented` one member per line and two spaces per level.
  public func text(indented: Bool = false) -> String {
    var text = ""
    write(to: &text, indent: indented ? "\n" : nil)
    return text
  }

  private func write(to text: inout String, indent: String?) {
    switch self {
    case .object(let members):
      list(members, "{", "}", to: &text, indent: indent) { member, text, indent in
        text += Self.quote(member.0) + (indent == nil ? ":" : ": ")
        member.1.write(to: &text, indent: indent)
      }
    case .array(let elements):
      list(elements, "[", "]", to: &text, indent: indent) { $0.write(to: &$1, indent: $2) }
    case .string(let value): text += Self.quote(value)
    case .int(let value): text += String(value)
    case .double(let value): text += value.isFinite ? value.description : "null"
    case .bool(let value): text += value ? "true" : "false"
    case .null: text += "null"
    }
  }

  private func list<T>(
    _ items: [T], _ open: String, _ close: String, to text: inout String, indent: String?,
    _ write: (T, inout String, String?) -> Void
  ) {
    let inner = indent.map { $0 + "  " }
    text += open
    for (place, item) in items.enumerated() {
      text += (place == 0 ? "" : ",") + (inner ?? "")
      write(item, &text, inner)
    }
    text += (items.isEmpty ? "" : indent ?? "") + close
  }

  /// A string literal; everything but quotes, backslashes and control characters stands for itself.
  static func quote(_ string: String) -> String {
    var text = "\""
    for scalar in string.unicodeScalars {
      switch scalar {
      case "\"": text += "\\\""
      case "\\": text += "\\\\"
      case "\n": text += "\\n"
      case "\t": text += "\\t"
      case "\r": text += "\\r"
      case _ where scalar.value < 0x20:
        let digits = String(scalar.value, radix: 16)
        text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: text.unicodeScalars.append(scalar)
      }
    }
    return text + "\""
  }
}

extension JSON: ExpressibleByDictionaryLiteral, ExpressibleByArrayLiteral,
  ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral,
  ExpressibleByBooleanLiteral
{
  public init(dictionaryLiteral elements: (String, JSON)...) { self = .object(elements) }
  public init(arrayLiteral elements: JSON...) { self = .array(elements) }
  public init(stringLiteral value: String) { self = .string(value) }
  public init(integerLiteral value: Int) { self = .int(value) }
  public init(floatLiteral value: Double) { self = .double(value) }
  public init(booleanLiteral value: Bool) { self = .bool(value) }
}
