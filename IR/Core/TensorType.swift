/// The element type of a tensor.
public enum DType: String, Sendable, CaseIterable {
  /// 32-bit floating point.
  case f32
  /// 32-bit signed integer.
  case i32
  /// One bit an element; the last axis is padded to whole bytes.
  case bits
  /// Filters (f32, logical shape OIHW) in the layout that the convolution kernels read.
  case packed
}

/// A static tensor type: activations are NHWC or NC, filters OIHW, per-channel vectors C.
public struct TensorType: Hashable, Sendable, CustomStringConvertible {
  public var dtype: DType
  public var shape: [Int]

  public init(_ dtype: DType, _ shape: [Int]) {
    self.dtype = dtype
    self.shape = shape
  }

  /// An f32 tensor of the given extents.
  public static func f32(_ shape: Int...) -> TensorType { TensorType(.f32, shape) }
  /// An i32 tensor of the given extents.
  public static func i32(_ shape: Int...) -> TensorType { TensorType(.i32, shape) }

  public var rank: Int { shape.count }

  /// Number of elements.
  public var count: Int { shape.reduce(1, *) }

  /// Extent of the last axis: channels of an activation.
  public var channels: Int { shape.last ?? 1 }

  /// Bytes in memory, except for `packed`, whose size only the kernel library knows.
  public var byteCount: Int {
    switch dtype {
    case .f32, .i32, .packed: count * 4
    case .bits: channels == 0 ? 0 : count / channels * ((channels + 7) / 8)
    }
  }

  /// The number of elements that a tensor may have at most.
  public static let maximumCount = 1 << 40

  /// - Throws: IRError unless the type has extents, all of them positive, and at most
  ///   `maximumCount` elements.
  public func check() throws {
    guard !shape.isEmpty, shape.allSatisfy({ $0 > 0 }) else {
      throw IRError("\(self) must have extents, all of them positive")
    }
    var count = 1
    for extent in shape {
      let (product, overflow) = count.multipliedReportingOverflow(by: extent)
      guard !overflow, product <= TensorType.maximumCount else {
        throw IRError("\(self) has more than \(TensorType.maximumCount) elements")
      }
      count = product
    }
  }

  public var description: String {
    "\(dtype)[\(shape.map(String.init).joined(separator: ","))]"
  }
}

/// When a value is first known. The compiler computes every value at its earliest stage, so that
/// the body of an attack's loop holds only what changes from step to step.
public enum Stage: Int, Sendable, Comparable, CaseIterable {
  /// Depends on parameters and buffers alone: folding, packing.
  case weights
  /// Likewise, but on some that the graph itself updates: known anew in every run.
  case updated
  /// Depends on the clean batch: clean features, the random start.
  case batch
  /// Depends on the perturbation: runs once every step of the loop.
  case step
  /// Depends on what the loop leaves.
  case after

  public static func < (a: Stage, b: Stage) -> Bool { a.rawValue < b.rawValue }

  public var name: String {
    switch self {
    case .weights: "weights"
    case .updated: "updated"
    case .batch: "batch"
    case .step: "step"
    case .after: "after"
    }
  }

  /// Whether values of this stage depend on no batch.
  public var precedesBatch: Bool { self < .batch }

  public init?(name: Substring) {
    guard let stage = Stage.allCases.first(where: { $0.name == name }) else { return nil }
    self = stage
  }
}
