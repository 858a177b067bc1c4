/// A tensor of the model under its PyTorch name.
public struct ParameterInfo: Sendable, Equatable {
  /// What the tensor is; `runningMean` and `runningVar` are buffers.
  public enum Kind: String, Sendable {
    case weight, bias, gamma, beta, runningMean, runningVar

    public var isTrainable: Bool { self != .runningMean && self != .runningVar }
  }

  public var name: String
  /// PyTorch's layout: OIHW, [out, in] or [channels].
  public var shape: [Int]
  public var kind: Kind

  public init(name: String, shape: [Int], kind: Kind) {
    self.name = name
    self.shape = shape
    self.kind = kind
  }

  public var count: Int { shape.reduce(1, *) }
  public var isTrainable: Bool { kind.isTrainable }
}

/// A batch norm, by the names of its tensors.
public struct NormInfo: Sendable, Equatable {
  public var gamma, beta, mean, variance: String
}

extension NormInfo {
  /// - Parameter module: its name in PyTorch, `layer1.0.bn1`.
  init(module: String) {
    gamma = "\(module).weight"
    beta = "\(module).bias"
    mean = "\(module).running_mean"
    variance = "\(module).running_var"
  }
}

/// A convolution or a linear layer.
public struct LayerInfo: Sendable {
  /// Main-path convolution, convolution of a shortcut or of a gate, or linear layer.
  public enum Kind: String, Sendable { case convolution, shortcut, gate, linear }

  /// Position in `Model.allLayers`.
  public var index: Int
  /// The module's name in PyTorch: `layer1.0.conv1`.
  public var name: String
  /// Names of its parameters.
  public var weight: String
  public var bias: String?
  /// The batch norm applied directly to its output.
  public var norm: NormInfo?
  public var kind: Kind
  /// Index in `Model.blocks` of the innermost block around it.
  public var block: Int?

  public var isMainPath: Bool { kind == .convolution }
}

/// A `Block` of the network with what no inner block holds.
public struct BlockInfo: Sendable {
  /// The module's name in PyTorch, `layer1.0`; nil where it has none.
  public var name: String?
  /// Indices in `Model.allLayers`, shortcuts included.
  public var layers: [Int] = []
  /// All of its batch norms, also those that normalise its input.
  public var norms: [NormInfo] = []
}
