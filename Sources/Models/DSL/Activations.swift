import IR

/// An activation of one operand, on any shape, as in PyTorch.
public protocol Activation: Module {
  /// The operation and its attributes.
  var operation: (name: String, attributes: Attributes) { get }
}

extension Activation {
  public var extendsFeature: Bool { true }

  public func emit(_ x: ValueID, _ context: EmitContext) throws -> ValueID {
    try context.builder.emitOne(operation.name, [x], operation.attributes)
  }
}

/// max(x, 0).
public struct ReLU: Activation {
  public var operation: (name: String, attributes: Attributes) { ("relu", [:]) }

  public init() {}
}

/// 1 / (1 + exp(-x)).
public struct Sigmoid: Activation {
  public var operation: (name: String, attributes: Attributes) { ("sigmoid", [:]) }

  public init() {}
}

/// x / (1 + exp(-x)) (Elfwing et al. 2018).
public struct SiLU: Activation {
  public var operation: (name: String, attributes: Attributes) { ("silu", [:]) }

  public init() {}
}

/// x, or `slope` * x where x is negative (Maas et al. 2013).
public struct LeakyReLU: Activation {
  public let slope: Double
  public var operation: (name: String, attributes: Attributes) {
    ("leaky_relu", ["slope": .float(slope)])
  }

  public init(slope: Double = 0.01) { self.slope = slope }
}

/// x times the normal distribution function of x (Hendrycks and Gimpel 2016): by erf, or with
/// `tanh` by its approximation.
public struct GELU: Activation {
  public let tanh: Bool
  public var operation: (name: String, attributes: Attributes) { ("gelu", ["tanh": .bool(tanh)]) }

  public init(tanh: Bool = false) { self.tanh = tanh }
}

/// log(1 + exp(beta * x)) / beta (Dugas et al. 2001).
public struct Softplus: Activation {
  public let beta: Double
  public var operation: (name: String, attributes: Attributes) {
    ("softplus", ["beta": .float(beta)])
  }

  public init(beta: Double = 1) { self.beta = beta }
}

/// x within [low, high]: Hardtanh.
public struct Clamp: Activation {
  public let low, high: Double
  public var operation: (name: String, attributes: Attributes) {
    ("clamp", ["low": .float(low), "high": .float(high)])
  }

  public init(low: Double = -1, high: Double = 1) {
    self.low = low
    self.high = high
  }

  /// x within [0, 6] (Krizhevsky 2010).
  public static let relu6 = Clamp(low: 0, high: 6)
}

/// x / 6 + 1 / 2 within [0, 1] (Howard et al. 2019).
public struct HardSigmoid: Activation {
  public var operation: (name: String, attributes: Attributes) { ("hard_sigmoid", [:]) }

  public init() {}
}

/// x * hard sigmoid of x (Howard et al. 2019).
public struct HardSwish: Activation {
  public var operation: (name: String, attributes: Attributes) { ("hard_swish", [:]) }

  public init() {}
}
