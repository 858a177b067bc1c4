/// A piece of the text form of a graph.
enum Token: Equatable {
  case identifier(String)
  /// `%7`
  case value(Int)
  case int(Int)
  case float(Double)
  case string(String)
  /// One of `{ } [ ] ( ) , : = @`
  case mark(Character)
  case end

  /// The token as error messages name it.
  var description: String {
    switch self {
    case .identifier(let name): "'\(name)'"
    case .value(let index): "'%\(index)'"
    case .int(let value): "'\(value)'"
    case .float(let value): "'\(value)'"
    case .string(let value): Printer.quoted(value)
    case .mark(let mark): "'\(mark)'"
    case .end: "the end of the text"
    }
  }
}

/// Cuts text into tokens. Spaces, line ends and comments (`//` to the end of the line) separate
/// them.
struct Lexer {
  private let bytes: [UInt8]
  private var position = 0

  init(_ text: String) { bytes = Array(text.utf8) }

  /// The next token and the offset of its first byte.
  ///
  /// - Throws: IRError with line and column.
  mutating func next() throws -> (token: Token, offset: Int) {
    skipBlanks()
    let start = position
    guard let byte = peek() else { return (.end, start) }
    switch byte {
    case UInt8(ascii: "%"):
      position += 1
      let digits = take(Lexer.isDigit)
      guard let index = Int(digits) else {
        throw error(at: start, "expected a value such as %7")
      }
      return (.value(index), start)
    case UInt8(ascii: "\""): return (.string(try string()), start)
    case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return (try number(), start)
    case _ where Lexer.isIdentifierStart(byte):
      return (.identifier(take(Lexer.isIdentifierPart)), start)
    case _ where Lexer.marks.contains(byte):
      position += 1
      return (.mark(Character(UnicodeScalar(byte))), start)
    default:
      throw error(at: start, "unexpected character")
    }
  }

  /// An error at a byte offset, told as line and column (both from 1; columns count characters).
  func error(at offset: Int, _ message: String) -> IRError {
    let before = bytes[..<min(offset, bytes.count)]
    let line = before.count { $0 == UInt8(ascii: "\n") } + 1
    let lineStart = before.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0
    let column = String(decoding: before[lineStart...], as: UTF8.self).count + 1
    return IRError("line \(line), column \(column): \(message)")
  }

  private func peek(_ ahead: Int = 0) -> UInt8? {
    position + ahead < bytes.count ? bytes[position + ahead] : nil
  }

  private mutating func take(_ accept: (UInt8) -> Bool) -> String {
    let start = position
    while let byte = peek(), accept(byte) { position += 1 }
    return String(decoding: bytes[start..<position], as: UTF8.self)
  }

  private mutating func skipBlanks() {
    while let byte = peek() {
      if byte == UInt8(ascii: "/"), peek(1) == UInt8(ascii: "/") {
        while let byte = peek(), byte != UInt8(ascii: "\n") { position += 1 }
      } else if Lexer.blanks.contains(byte) {
        position += 1
      } else {
        return
      }
    }
  }
}

// Numbers and strings.
extension Lexer {
  private mutating func number() throws -> Token {
    let start = position
    if peek() == UInt8(ascii: "-") { position += 1 }
    let word = take { Lexer.isIdentifierPart($0) }
    if word == "inf" || word == "nan" {
      return .float(word == "nan" ? .nan : -.infinity)
    }
    // The sign of an exponent is no part of a word.
    if word.last == "e" || word.last == "E", let sign = peek(), Lexer.signs.contains(sign) {
      position += 1
      _ = take(Lexer.isDigit)
    }
    let text = String(decoding: bytes[start..<position], as: UTF8.self)
    if let value = Int(text) { return .int(value) }
    guard Lexer.isDecimal(text), let value = Double(text), value.isFinite else {
      throw error(at: start, "'\(text)' is not a number, or is out of range")
    }
    return .float(value)
  }

  private static func isDecimal(_ text: String) -> Bool {
    text.utf8.contains {
      $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "e") || $0 == UInt8(ascii: "E")
    }
      && text.utf8.allSatisfy {
        isDigit($0) || signs.contains($0)
          || [UInt8(ascii: "."), UInt8(ascii: "e"), UInt8(ascii: "E")].contains($0)
      }
  }

  private mutating func string() throws -> String {
    let start = position
    position += 1
    var content: [UInt8] = []
    while let byte = peek(), byte != UInt8(ascii: "\n") {
      position += 1
      switch byte {
      case UInt8(ascii: "\""): return String(decoding: content, as: UTF8.self)
      case UInt8(ascii: "\\"): content += try escape()
      default: content.append(byte)
      }
    }
    throw error(at: start, "the string is not closed on its line")
  }

  private mutating func escape() throws -> [UInt8] {
    let start = position - 1
    let letter = peek()
    position += 1
    switch letter {
    case UInt8(ascii: "\"")?, UInt8(ascii: "\\")?: return [letter ?? 0]
    case UInt8(ascii: "n")?: return [UInt8(ascii: "\n")]
    case UInt8(ascii: "t")?: return [UInt8(ascii: "\t")]
    case UInt8(ascii: "u")? where peek() == UInt8(ascii: "{"):
      position += 1
      let digits = take(Lexer.isIdentifierPart)
      if peek() == UInt8(ascii: "}"), let value = UInt32(digits, radix: 16),
        let scalar = UnicodeScalar(value)
      {
        position += 1
        return Array(String(Character(scalar)).utf8)
      }
    default: break
    }
    throw error(at: start, #"unknown escape; known: \" \\ \n \t \u{1f}"#)
  }
}

extension Lexer {
  static func isIdentifier(_ text: String) -> Bool {
    guard let first = text.utf8.first else { return false }
    return isIdentifierStart(first) && text.utf8.allSatisfy(isIdentifierPart)
  }

  private static let marks = Set("{}[](),:=@".utf8)
  private static let blanks = Set(" \t\r\n".utf8)
  private static let signs = Set("+-".utf8)

  private static func isDigit(_ byte: UInt8) -> Bool {
    (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
  }

  private static func isIdentifierStart(_ byte: UInt8) -> Bool {
    (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20) || byte == UInt8(ascii: "_")
  }

  private static func isIdentifierPart(_ byte: UInt8) -> Bool {
    isIdentifierStart(byte) || isDigit(byte) || byte == UInt8(ascii: ".")
  }
}
