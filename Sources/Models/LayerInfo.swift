/// A tensor of the model under its PyTorch name.
public struct ParameterInfo: Sendable, Equatable {
  /// What the tensor is; `runningMean` and `runningVar` are buffers.
  public enum Kind: String, Sendable {
    case weight, bias, gamma, beta, runningMean, runningVar
  }

  public var name: String
  /// PyTorch's layout: OIHW, [out, in] or [channels].
  public var shape: [Int]
  public var kind: Kind
  /// Index in `Model.layers` of the convolution it belongs to or, for a batch norm, of the one
  /// whose raw output it normalises; nil for shortcuts, linear layers, and norms of a residual sum.
  public var layer: Int?

  public init(name: String, shape: [Int], kind: Kind, layer: Int? = nil) {
    self.name = name
    self.shape = shape
    self.kind = kind
    self.layer = layer
  }

  public var count: Int { shape.reduce(1, *) }
  public var isTrainable: Bool { kind != .runningMean && kind != .runningVar }
}

/// A convolution or a linear layer.
public struct LayerInfo: Sendable {
  /// Main-path convolution, convolution of a shortcut, or linear layer.
  public enum Kind: String, Sendable { case convolution, shortcut, linear }

  /// Position in `Model.allLayers`: main-path convolutions count from 0 in forward order, the
  /// others from `Model.layers.count` on.
  public var index: Int
  /// The module's name in PyTorch: `layer1.0.conv1`.
  public var name: String
  /// Names of its parameters.
  public var weight: String
  public var bias: String?
  /// Names of the tensors of the batch norm applied directly to its output.
  public var norm: (gamma: String, beta: String, mean: String, variance: String)?
  public var kind: Kind

  public var isMainPath: Bool { kind == .convolution }
}
