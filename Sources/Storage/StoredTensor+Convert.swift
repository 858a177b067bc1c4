import Foundation

extension StoredTensor {
  /// The elements as `F32`: as they are, or rounded from `F64`, or widened from `F16` and `BF16`.
  ///
  /// - Throws: `StorageError.damaged` for integers and truth values.
  public func floats() throws -> [Float] {
    guard [.f32, .f64, .f16, .bf16].contains(type) else { throw wrongType("floating point") }
    return try [Float](unsafeUninitializedCapacity: count) { target, filled in
      try copyFloats(into: UnsafeMutableBufferPointer(rebasing: target[..<count]))
      filled = count
    }
  }

  /// Writes `floats()` to memory of exactly `count` elements.
  ///
  /// - Throws: `StorageError` for a type that is not floating point and for another number of
  ///   elements.
  public func copyFloats(into target: UnsafeMutableBufferPointer<Float>) throws {
    guard target.count == count else {
      throw StorageError(
        .invalid, file: "tensor \(quoted(name))", "\(count) elements, expected \(target.count)")
    }
    try bytes.withUnsafeBytes { source in
      switch type {
      case .f32: UnsafeMutableRawBufferPointer(target).copyMemory(from: source)
      case .f64: convert(source, as: Double.self, into: target) { Float($0) }
      case .f16: convert(source, as: UInt16.self, into: target, Self.widened(half:))
      case .bf16:
        convert(source, as: UInt16.self, into: target) { Float(bitPattern: UInt32($0) << 16) }
      default: throw wrongType("floating point")
      }
    }
  }

  /// The elements as `Int64`, from any integer or truth type.
  ///
  /// - Throws: `StorageError.damaged` for floating point, and for a `U64` above `Int64.max`.
  public func integers() throws -> [Int64] {
    try bytes.withUnsafeBytes { source in
      switch type {
      case .i64: elements(source, Int64.self)
      case .i32: elements(source, Int32.self).map(Int64.init)
      case .i16: elements(source, Int16.self).map(Int64.init)
      case .i8: elements(source, Int8.self).map(Int64.init)
      case .u32: elements(source, UInt32.self).map(Int64.init)
      case .u16: elements(source, UInt16.self).map(Int64.init)
      case .u8, .bool: elements(source, UInt8.self).map(Int64.init)
      case .u64:
        try elements(source, UInt64.self).map { value in
          guard let small = Int64(exactly: value) else { throw wrongType("below 2^63") }
          return small
        }
      case .f64, .f32, .f16, .bf16: throw wrongType("integer")
      }
    }
  }

  private func wrongType(_ expected: String) -> StorageError {
    StorageError(
      .damaged, file: "tensor \(quoted(name))", "type \(type.rawValue), expected \(expected)")
  }

  private func elements<T: BitwiseCopyable>(_ source: UnsafeRawBufferPointer, _: T.Type) -> [T] {
    (0..<count).map {
      source.loadUnaligned(fromByteOffset: $0 * MemoryLayout<T>.size, as: T.self)
    }
  }

  private func convert<T: BitwiseCopyable>(
    _ source: UnsafeRawBufferPointer, as _: T.Type, into target: UnsafeMutableBufferPointer<Float>,
    _ transform: (T) -> Float
  ) {
    for index in 0..<count {
      let offset = index * MemoryLayout<T>.size
      target[index] = transform(source.loadUnaligned(fromByteOffset: offset, as: T.self))
    }
  }

  /// IEEE 754 binary16 as Float, exactly.
  static func widened(half bits: UInt16) -> Float {
    let sign = UInt32(bits & 0x8000) << 16
    let exponent = UInt32(bits >> 10) & 0x1f
    let fraction = UInt32(bits & 0x3ff)
    switch exponent {
    case 0:
      let magnitude = Float(fraction) * 0x1p-24
      return sign == 0 ? magnitude : -magnitude
    case 31: return Float(bitPattern: sign | 0x7f80_0000 | fraction << 13)
    default: return Float(bitPattern: sign | (exponent + 112) << 23 | fraction << 13)
    }
  }
}
