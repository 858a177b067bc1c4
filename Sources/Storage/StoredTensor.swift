import Foundation

/// The element types of safetensors that hold whole bytes.
public enum StoredType: String, Sendable, CaseIterable {
  case f64 = "F64"
  case f32 = "F32"
  case f16 = "F16"
  case bf16 = "BF16"
  case i64 = "I64"
  case i32 = "I32"
  case i16 = "I16"
  case i8 = "I8"
  case u64 = "U64"
  case u32 = "U32"
  case u16 = "U16"
  case u8 = "U8"
  case bool = "BOOL"

  /// Bytes per element.
  public var size: Int {
    switch self {
    case .f64, .i64, .u64: 8
    case .f32, .i32, .u32: 4
    case .f16, .bf16, .i16, .u16: 2
    case .i8, .u8, .bool: 1
    }
  }
}

/// A named tensor as it stands in a file: row-major (C order), little-endian.
public struct StoredTensor: Sendable, Equatable {
  /// For weights, the name in PyTorch's `state_dict`.
  public let name: String
  public let type: StoredType
  /// Extents; empty for a scalar.
  public let shape: [Int]
  /// `count * type.size` bytes. A slice: its first index need not be 0.
  public let bytes: Data

  /// Elements.
  public var count: Int { bytes.count / type.size }

  /// - Throws: `StorageError.invalid` where the shape and the number of bytes disagree.
  public init(name: String, type: StoredType, shape: [Int], bytes: Data) throws {
    guard let needed = Self.byteCount(type, shape), needed == bytes.count else {
      throw StorageError(
        .invalid, file: "tensor \(quoted(name))",
        "\(bytes.count) bytes, expected \(type.rawValue) of shape \(shape)")
    }
    self.init(checked: name, type, shape, bytes)
  }

  init(checked name: String, _ type: StoredType, _ shape: [Int], _ bytes: Data) {
    self.name = name
    self.type = type
    self.shape = shape
    self.bytes = bytes
  }

  /// A tensor of `F32`, `I32`, `I64`, `F64` or `U8` from the values in `values`.
  public init<Element: StoredElement>(name: String, shape: [Int], values: [Element]) throws {
    try self.init(
      name: name, type: Element.storedType, shape: shape,
      bytes: values.withUnsafeBytes { Data($0) })
  }

  /// The same from memory, row-major without gaps.
  public init<Element: StoredElement>(
    name: String, shape: [Int], values: UnsafeBufferPointer<Element>
  ) throws {
    try self.init(
      name: name, type: Element.storedType, shape: shape, bytes: Data(buffer: values))
  }

  /// The same tensor under another name.
  public func renamed(_ name: String) -> StoredTensor {
    StoredTensor(checked: name, type, shape, bytes)
  }

  /// Bytes of a tensor, or nil where that is no non-negative Int.
  static func byteCount(_ type: StoredType, _ shape: [Int]) -> Int? {
    var bytes = type.size
    for extent in shape {
      let (product, overflow) = bytes.multipliedReportingOverflow(by: extent)
      guard extent >= 0, !overflow else { return nil }
      bytes = product
    }
    return bytes
  }
}

/// A Swift type with the same memory as a stored type.
public protocol StoredElement: BitwiseCopyable {
  static var storedType: StoredType { get }
}

extension Float: StoredElement {
  public static var storedType: StoredType { .f32 }
}

extension Double: StoredElement {
  public static var storedType: StoredType { .f64 }
}

extension Int32: StoredElement {
  public static var storedType: StoredType { .i32 }
}

extension Int64: StoredElement {
  public static var storedType: StoredType { .i64 }
}

extension UInt8: StoredElement {
  public static var storedType: StoredType { .u8 }
}
