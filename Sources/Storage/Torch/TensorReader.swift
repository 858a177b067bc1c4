import Foundation

/// Makes row-major tensors of a pickle's views of storages.
struct TensorReader {
  /// Tensors may repeat bytes of their storages (shared or expanded ones do), but all together have
  /// at most this many times the bytes of all storages, and 1 MiB.
  static let maximumRepetition = 8

  let pickle: Pickle
  let file: String
  /// The bytes of every storage of the pickle, little-endian.
  let storages: [Data]
  private var allowance: Int

  init(_ pickle: Pickle, storages: [Data], file: String) {
    (self.pickle, self.storages, self.file) = (pickle, storages, file)
    allowance = storages.reduce(0) { $0 + $1.count } * Self.maximumRepetition + 1 << 20
  }

  /// - Throws: StorageError for a tensor that reaches beyond its storage.
  mutating func tensor(_ index: Int, name: String) throws -> StoredTensor {
    let view = pickle.tensors[index]
    let bytes = storages[view.storage]
    guard let size = StoredTensor.byteCount(view.type, view.shape) else {
      throw damaged(name, "shape \(view.shape.prefix(8)) is not possible")
    }
    guard size > 0 else { return StoredTensor(checked: name, view.type, view.shape, Data()) }
    guard let reach = Self.reach(view), reach <= bytes.count / view.type.size else {
      throw damaged(
        name,
        "shape \(view.shape.prefix(8)) with strides \(view.strides.prefix(8)) from "
          + "\(view.offset) on reaches beyond a storage of \(bytes.count) bytes")
    }
    allowance -= size
    guard allowance >= 0 else {
      throw damaged(
        name, "the tensors have over \(Self.maximumRepetition) times the bytes of their storages")
    }
    return StoredTensor(
      checked: name, view.type, view.shape,
      view.isContiguous ? Self.slice(bytes, view, size) : Self.gathered(bytes, view, size))
  }

  /// One more than the last element that the view reads; nil where that is no Int.
  private static func reach(_ view: Pickle.Tensor) -> Int? {
    var last = view.offset
    guard last >= 0 else { return nil }
    for (extent, stride) in zip(view.shape, view.strides) {
      let (distance, overflow) = (extent - 1).multipliedReportingOverflow(by: stride)
      let (sum, carry) = last.addingReportingOverflow(distance)
      guard stride >= 0, !overflow, !carry else { return nil }
      last = sum
    }
    return last < .max ? last + 1 : nil
  }

  private static func slice(_ bytes: Data, _ view: Pickle.Tensor, _ size: Int) -> Data {
    let start = bytes.startIndex + view.offset * view.type.size
    return bytes[start..<start + size]
  }

  /// Copies element by element.
  private static func gathered(_ bytes: Data, _ view: Pickle.Tensor, _ size: Int) -> Data {
    let element = view.type.size
    var result = Data(capacity: size)
    var place = view.offset
    var indices = [Int](repeating: 0, count: view.shape.count)
    bytes.withUnsafeBytes { source in
      for _ in 0..<size / element {
        result.append(contentsOf: source[place * element..<(place + 1) * element])
        for axis in view.shape.indices.reversed() {
          indices[axis] += 1
          place += view.strides[axis]
          if indices[axis] < view.shape[axis] { break }
          place -= view.strides[axis] * view.shape[axis]
          indices[axis] = 0
        }
      }
    }
    return result
  }

  private func damaged(_ name: String, _ problem: String) -> StorageError {
    StorageError(.damaged, file: file, "tensor \(quoted(name)): \(problem)")
  }
}

extension Pickle.Tensor {
  /// Whether the elements stand in row-major order without gaps.
  var isContiguous: Bool {
    var expected = 1
    for (extent, stride) in zip(shape, strides).reversed() where extent != 1 {
      if stride != expected { return false }
      expected *= extent
    }
    return true
  }
}
