import Foundation

extension Unpickler {
  /// Text, bytes, truth values and floating point.
  mutating func constant(_ operation: PickleOperation) throws -> Bool {
    switch operation {
    case .none: push(.none)
    case .newtrue: push(.bool(true))
    case .newfalse: push(.bool(false))
    case .binfloat:
      push(.double(Double(bitPattern: try reader.integer(UInt64.self).byteSwapped)))
    case .float:
      guard let value = Double(Self.text(try reader.line())) else {
        throw PickleError("expected a number")
      }
      push(.double(value))
    case .unicode: push(.text(Self.text(try reader.line())))
    case .string:
      let line = try reader.line()
      push(.text(Self.text(line.count >= 2 ? line.dropFirst().dropLast() : line)))
    case .shortBinunicode, .shortBinstring: push(.text(try text(UInt8.self)))
    case .binunicode, .binstring: push(.text(try text(UInt32.self)))
    case .binunicode8: push(.text(try text(UInt64.self)))
    case .shortBinbytes: push(.bytes(try bytes(UInt8.self)))
    case .binbytes: push(.bytes(try bytes(UInt32.self)))
    case .binbytes8, .bytearray8: push(.bytes(try bytes(UInt64.self)))
    default: return false
    }
    return true
  }

  mutating func integer(_ operation: PickleOperation) throws -> Bool {
    switch operation {
    case .binint: push(.int(Int(try reader.integer(Int32.self))))
    case .binint1: push(.int(try reader.int(UInt8.self)))
    case .binint2: push(.int(try reader.int(UInt16.self)))
    case .long1: push(Self.long(try bytes(UInt8.self)))
    case .long4: push(Self.long(try bytes(UInt32.self)))
    case .int:
      switch Self.text(try reader.line()) {
      case "00": push(.bool(false))
      case "01": push(.bool(true))
      case let line: push(.int(try Self.decimal(line)))
      }
    case .long:
      let line = Self.text(try reader.line())
      push(.int(try Self.decimal(line.hasSuffix("L") ? String(line.dropLast()) : line)))
    default: return false
    }
    return true
  }

  private mutating func bytes<Length: FixedWidthInteger>(_: Length.Type) throws -> Data {
    try reader.bytes(reader.int(Length.self))
  }

  private mutating func text<Length: FixedWidthInteger>(_: Length.Type) throws -> String {
    Self.text(try bytes(Length.self))
  }

  static func text(_ bytes: Data) -> String { String(decoding: bytes, as: UTF8.self) }

  private static func decimal(_ line: String) throws -> Int {
    guard let value = Int(line) else { throw PickleError("expected an integer of 64 bits") }
    return value
  }

  /// An integer of any length: two's complement, little-endian.
  private static func long(_ bytes: Data) -> Pickle.Value {
    guard bytes.count <= 8 else { return .long(bytes) }
    let negative = bytes.last.map { $0 >= 0x80 } ?? false
    return .int(bytes.reversed().reduce(negative ? -1 : 0) { $0 << 8 | Int($1) })
  }
}
