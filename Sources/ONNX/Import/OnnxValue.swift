import IR

/// A value of the ONNX graph: known, or calculated by the network.
enum OnnxValue {
  case constant(Constant)
  case tensor(OnnxTensor)

  /// In ONNX's order of axes.
  var shape: [Int] {
    switch self {
    case .constant(let constant): constant.shape
    case .tensor(let tensor): tensor.shape
    }
  }
}

/// A value that the network calculates.
struct OnnxTensor {
  /// How the graph holds it.
  enum Form: Equatable {
    /// [N, C, H, W] as NHWC, and [N, C] as it is.
    case plain
    /// [N, C, 1, 1], the mean over all pixels of a value, as [N, C].
    case pooled(of: ValueID)
    /// [N, C, 1, 1] or [N, C, 1] as [N, C], for what scales channels.
    case row
    /// [N, H, W], one channel of images, as [N, H, W, 1].
    case channel
    /// Zeros around the pixels, which what reads it must take in: above, left, below, right.
    case padded([Int])
    /// Every n-th row or column of a value of a shape.
    case sliced([Int], of: [Int])
    /// Where the value exceeds a number, a part of softplus.
    case exceeds(Float)
    /// erf(x / sqrt 2) of the value, a part of GELU, plus 1 if so.
    case errorFunction(plusOne: Bool)
  }

  var value: ValueID
  /// In ONNX's order of axes.
  var shape: [Int]
  var form = Form.plain
}
