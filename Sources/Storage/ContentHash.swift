import Foundation

/// The 64-bit FNV-1a hash (Fowler, Noll and Vo): finds accidental change, no defence against
/// intent.
public struct ContentHash: Sendable, Equatable, CustomStringConvertible {
  /// The hash of what has been added so far.
  public private(set) var value: UInt64 = 0xcbf2_9ce4_8422_2325

  public init() {}

  public mutating func add(_ bytes: UnsafeRawBufferPointer) {
    var hash = value
    for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
    value = hash
  }

  public mutating func add(_ data: Data) { data.withUnsafeBytes { add($0) } }

  /// Adds a text and a byte that ends it, so that neighbouring texts cannot trade characters.
  public mutating func add(_ text: String) { add(Data(text.utf8) + [0xff]) }

  /// Adds a tensor: its name, type, shape and bytes.
  public mutating func add(_ tensor: StoredTensor) {
    add("\(tensor.name) \(tensor.type.rawValue) \(tensor.shape)")
    add(tensor.bytes)
  }

  /// 16 hexadecimal digits.
  public var description: String {
    let digits = String(value, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }
}
