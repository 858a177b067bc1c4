import Foundation
import IR

/// A tensor in memory of its own, aligned to cache lines.
public final class Tensor {
  public let type: TensorType
  public let pointer: UnsafeMutableRawPointer

  /// Zero-filled.
  public convenience init(_ type: TensorType) {
    self.init(uninitialized: type, bytes: type.byteCount)
    pointer.initializeMemory(as: UInt8.self, repeating: 0, count: type.byteCount)
  }

  /// With whatever the memory held.
  init(uninitialized type: TensorType, bytes: Int) {
    self.type = type
    pointer = .allocate(byteCount: max(bytes, 1), alignment: 64)
  }

  deinit { pointer.deallocate() }

  /// The elements of an f32 tensor.
  public var floats: UnsafeMutableBufferPointer<Float> {
    UnsafeMutableBufferPointer(
      start: pointer.assumingMemoryBound(to: Float.self),
      count: type.dtype == .f32 ? type.count : 0)
  }

  /// The elements of an i32 tensor.
  public var integers: UnsafeMutableBufferPointer<Int32> {
    UnsafeMutableBufferPointer(
      start: pointer.assumingMemoryBound(to: Int32.self),
      count: type.dtype == .i32 ? type.count : 0)
  }

  public var bytes: UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(start: pointer, count: type.byteCount)
  }
}

/// The tensors that programs share: parameters, buffers, optimiser state, batches.
public final class TensorStore {
  private var tensors: [String: Tensor] = [:]
  /// Memory of the programs that use the store.
  let workspace = Workspace()
  /// Counts changes of parameters and buffers; a program runs its section `weights` again after
  /// each that is not its own.
  public private(set) var weightsVersion = 0

  public init() {}

  public var names: [String] { tensors.keys.sorted() }

  public subscript(name: String) -> Tensor? { tensors[name] }

  /// The tensor of that name, made and zero-filled if it does not exist.
  ///
  /// - Throws: IRError where it exists with another type.
  @discardableResult
  public func tensor(_ name: String, _ type: TensorType) throws -> Tensor {
    if let known = tensors[name] {
      guard known.type == type else {
        throw IRError("tensor '\(name)' is \(known.type), where \(type) is needed")
      }
      return known
    }
    let tensor = Tensor(type)
    tensors[name] = tensor
    return tensor
  }

  /// Copies values into an f32 tensor.
  ///
  /// - Throws: IRError where the number of values does not fit.
  public func set(_ name: String, _ type: TensorType, _ values: [Float]) throws {
    let tensor = try tensor(name, type)
    guard values.count == tensor.floats.count else {
      throw IRError("tensor '\(name)' of \(type) takes \(type.count) values, got \(values.count)")
    }
    _ = tensor.floats.update(from: values)
    weightsChanged()
  }

  /// Must be called after writing to a parameter or buffer.
  public func weightsChanged() { weightsVersion += 1 }
}
