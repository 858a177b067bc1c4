import IR

/// An activation after the rectified linear one, on any shape, as in PyTorch.
public struct Activation: Module {
  public var extendsFeature: Bool { true }
  private let op: String
  private let attributes: Attributes

  fileprivate init(_ op: String, _ attributes: Attributes = [:]) {
    self.op = op
    self.attributes = attributes
  }

  public func emit(_ x: ValueID, _ context: EmitContext) throws -> ValueID {
    try context.builder.emitOne(op, [x], attributes)
  }
}

/// 1 / (1 + exp(-x)).
public func Sigmoid() -> Activation { Activation("sigmoid") }

/// x / (1 + exp(-x)) (Elfwing et al. 2018).
public func SiLU() -> Activation { Activation("silu") }

/// x, or `slope` * x where x is negative.
public func LeakyReLU(slope: Double = 0.01) -> Activation {
  Activation("leaky_relu", ["slope": .float(slope)])
}

/// x times the normal distribution function of x (Hendrycks and Gimpel 2016), by erf, or with
/// `tanh` by its approximation.
public func GELU(tanh: Bool = false) -> Activation { Activation("gelu", ["tanh": .bool(tanh)]) }

/// log(1 + exp(beta * x)) / beta.
public func Softplus(beta: Double = 1) -> Activation {
  Activation("softplus", ["beta": .float(beta)])
}
