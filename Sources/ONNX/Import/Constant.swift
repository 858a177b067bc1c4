import Foundation
import Models

/// A tensor of an ONNX file that is known without running the network.
struct Constant {
  enum Elements {
    case floats([Float])
    case ints([Int])
  }

  var shape: [Int]
  var elements: Elements
  /// The initializer's name; empty for what was calculated.
  var name = ""

  var count: Int {
    switch elements {
    case .floats(let values): values.count
    case .ints(let values): values.count
    }
  }

  var floats: [Float] {
    switch elements {
    case .floats(let values): values
    case .ints(let values): values.map(Float.init)
    }
  }

  /// nil for floating point.
  var ints: [Int]? {
    if case .ints(let values) = elements { return values }
    return nil
  }

  func scaled(by factor: Float) -> Constant {
    guard factor != 1 else { return self }
    return Constant(shape: shape, .floats(floats.map { $0 * factor }), name: name)
  }

  init(shape: [Int], _ elements: Elements, name: String = "") {
    self.shape = shape
    self.elements = elements
    self.name = name
  }

  /// A list of whole numbers.
  init(_ values: [Int]) { self.init(shape: [values.count], .ints(values)) }

  /// - Throws: ModelError that names the tensor: kept outside the file, of an element type that
  ///   networks do not have, or of another size than its shape says.
  init(_ tensor: Onnx_TensorProto) throws {
    let label = "tensor '\(tensor.name)'"
    guard tensor.dataLocation != .external, tensor.externalData.isEmpty else {
      throw ModelError(
        "\(label) is kept in another file; export with the weights inside (external_data=False)")
    }
    guard let type = Onnx_TensorProto.DataType(rawValue: Int(tensor.dataType)), !tensor.hasSegment
    else { throw ModelError("\(label): element type \(tensor.dataType) is unknown") }
    let count = tensor.dims.reduce(into: Int64(1)) { product, extent in
      let (result, overflow) = product.multipliedReportingOverflow(by: extent)
      product = overflow || extent < 0 ? -1 : result
    }
    let elements = try Elements(tensor, type, label)
    self.init(shape: tensor.dims.map(Int.init), elements, name: tensor.name)
    guard count == self.count else {
      throw ModelError("\(label) of shape \(shape) holds \(self.count) numbers")
    }
  }
}

extension Constant.Elements {
  fileprivate init(
    _ tensor: Onnx_TensorProto, _ type: Onnx_TensorProto.DataType, _ label: String
  ) throws {
    let raw = tensor.rawData
    switch type {
    case .float where raw.isEmpty: self = .floats(tensor.floatData)
    case .double where raw.isEmpty: self = .floats(tensor.doubleData.map { Float($0) })
    case .float16 where raw.isEmpty:
      self = .floats(tensor.int32Data.map { half(UInt16(truncatingIfNeeded: $0)) })
    case .bfloat16 where raw.isEmpty:
      self = .floats(tensor.int32Data.map { brain(UInt16(truncatingIfNeeded: $0)) })
    case .int64 where raw.isEmpty: self = .ints(tensor.int64Data.map(Int.init))
    case .int32 where raw.isEmpty, .bool where raw.isEmpty:
      self = .ints(tensor.int32Data.map(Int.init))
    case .float: self = .floats(read(raw, as: UInt32.self) { Float(bitPattern: $0) })
    case .double: self = .floats(read(raw, as: UInt64.self) { Float(Double(bitPattern: $0)) })
    case .float16: self = .floats(read(raw, as: UInt16.self, half))
    case .bfloat16: self = .floats(read(raw, as: UInt16.self, brain))
    case .int64: self = .ints(read(raw, as: Int64.self) { Int($0) })
    case .int32: self = .ints(read(raw, as: Int32.self) { Int($0) })
    case .bool: self = .ints(raw.map { Int($0) })
    default:
      throw ModelError(
        "\(label) has elements of type \(type); supported: float, float16, bfloat16, double, "
          + "int32, int64, bool")
    }
  }
}

/// The little-endian numbers in `data`, without a last one that is cut off.
private func read<Word: FixedWidthInteger, Result>(
  _ data: Data, as type: Word.Type, _ convert: (Word) -> Result
) -> [Result] {
  let size = MemoryLayout<Word>.size
  return data.withUnsafeBytes { bytes in
    stride(from: 0, to: bytes.count / size * size, by: size).map {
      convert(Word(littleEndian: bytes.loadUnaligned(fromByteOffset: $0, as: Word.self)))
    }
  }
}

/// IEEE 754 half precision.
private func half(_ bits: UInt16) -> Float {
  let sign: Float = bits >> 15 == 0 ? 1 : -1
  let (exponent, fraction) = (Int(bits >> 10 & 31), Float(bits & 1023))
  switch exponent {
  case 0: return sign * fraction * 0x1p-24
  case 31: return fraction == 0 ? sign * .infinity : .nan
  default:
    return Float(
      sign: bits >> 15 == 0 ? .plus : .minus, exponent: exponent - 15,
      significand: 1 + fraction * 0x1p-10)
  }
}

/// The upper half of a 32-bit number.
private func brain(_ bits: UInt16) -> Float { Float(bitPattern: UInt32(bits) << 16) }
