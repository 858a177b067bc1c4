import IR

/// What is wrong with a program file.
public struct ProgramFileError: Error, CustomStringConvertible {
  public var description: String

  /// One line, whatever names a file has.
  init(_ description: String) {
    self.description = printable(description, limit: 1000)
  }
}

/// Appends numbers, text and lists to bytes; `ByteReader` reads them in the same order.
///
/// Whole numbers are LEB128 (seven bits a byte, least significant first, the eighth set where more
/// follow), text and lists begin with their count, and floating-point numbers are little-endian.
struct ByteWriter {
  private(set) var bytes: [UInt8] = []

  /// A number of at least 0.
  mutating func write(_ value: Int) {
    var rest = UInt64(value)
    while rest > 0x7f {
      bytes.append(UInt8(rest & 0x7f) | 0x80)
      rest >>= 7
    }
    bytes.append(UInt8(rest))
  }

  mutating func write(_ value: Bool) { bytes.append(value ? 1 : 0) }

  mutating func write(_ value: Double) { writeRaw(value.bitPattern.littleEndian) }

  mutating func write(_ value: Float) { writeRaw(value.bitPattern.littleEndian) }

  mutating func write(_ text: String) { write(Array(text.utf8)) }

  mutating func write(_ values: [UInt8]) {
    write(values.count)
    bytes += values
  }

  mutating func write<Element>(_ list: [Element], _ each: (inout ByteWriter, Element) -> Void) {
    write(list.count)
    for element in list { each(&self, element) }
  }

  mutating func write<Value>(_ value: Value?, _ some: (inout ByteWriter, Value) -> Void) {
    write(value != nil)
    if let value { some(&self, value) }
  }

  private mutating func writeRaw<Bits>(_ bits: Bits) {
    withUnsafeBytes(of: bits) { bytes += $0 }
  }
}

/// Reads what `ByteWriter` wrote, from bytes that may be anything.
struct ByteReader {
  private let bytes: [UInt8]
  private var position = 0
  /// The largest number that stands for bytes or elements: far above any machine's memory, and far
  /// from overflowing where a few are added.
  static let largest = 1 << 44

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  var isAtEnd: Bool { position == bytes.count }

  mutating func byte() throws -> UInt8 {
    guard position < bytes.count else { throw ProgramFileError("it ends early") }
    defer { position += 1 }
    return bytes[position]
  }

  /// A number from `range`, which `what` names in the error.
  mutating func int(_ what: String, in range: ClosedRange<Int> = 0...largest) throws -> Int {
    var value: UInt64 = 0
    for shift in stride(from: 0, to: 63, by: 7) {
      let next = try byte()
      value |= UInt64(next & 0x7f) << UInt64(shift)
      guard next & 0x80 == 0 else { continue }
      guard let result = Int(exactly: value), range.contains(result) else { break }
      return result
    }
    throw ProgramFileError("\(what) is not within \(range.lowerBound)...\(range.upperBound)")
  }

  mutating func index(_ what: String, below count: Int) throws -> Int {
    guard count > 0 else { throw ProgramFileError("there is nothing that \(what) could be") }
    return try int(what, in: 0...count - 1)
  }

  mutating func bool() throws -> Bool { try int("a flag", in: 0...1) == 1 }

  mutating func double() throws -> Double {
    Double(bitPattern: UInt64(littleEndian: try raw(UInt64.self)))
  }

  mutating func float() throws -> Float {
    Float(bitPattern: UInt32(littleEndian: try raw(UInt32.self)))
  }

  mutating func string() throws -> String {
    guard let text = String(validating: try data(), as: UTF8.self) else {
      throw ProgramFileError("a text is not UTF-8")
    }
    return text
  }

  mutating func data() throws -> [UInt8] {
    let count = try count()
    defer { position += count }
    return Array(bytes[position..<position + count])
  }

  mutating func list<Element>(_ each: (inout ByteReader) throws -> Element) throws -> [Element] {
    let count = try count()
    var list: [Element] = []
    for _ in 0..<count { list.append(try each(&self)) }
    return list
  }

  mutating func optional<Value>(_ some: (inout ByteReader) throws -> Value) throws -> Value? {
    try bool() ? try some(&self) : nil
  }

  /// Every element takes a byte at least, so that a count cannot ask for more than the file has.
  private mutating func count() throws -> Int {
    let count = try int("a count")
    guard count <= bytes.count - position else { throw ProgramFileError("it ends early") }
    return count
  }

  private mutating func raw<Bits: FixedWidthInteger>(_ type: Bits.Type) throws -> Bits {
    let size = MemoryLayout<Bits>.size
    guard size <= bytes.count - position else { throw ProgramFileError("it ends early") }
    defer { position += size }
    return bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: position, as: type) }
  }
}
