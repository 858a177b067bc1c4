// Smooth and leaky activations with their gradients, as in PyTorch. They run in fused regions.

import Foundation

private func logistic(_ x: Double) -> Double { 1 / (1 + exp(-x)) }

/// The normal distribution's density.
private func density(_ x: Double) -> Double { exp(-x * x / 2) / (2 * Double.pi).squareRoot() }

/// gelu's tanh form (Hendrycks and Gimpel 2016): the argument of tanh, and its derivative.
private func geluInner(_ x: Double) -> (value: Double, slope: Double) {
  let factor = (2 / Double.pi).squareRoot()
  return (factor * (x + 0.044715 * x * x * x), factor * (1 + 3 * 0.044715 * x * x))
}

private let activationSample = TensorType.f32(2, 3, 3, 9)

/// An activation y = f(x).
private func activation(
  _ name: String, attributes: [AttributeSpec] = [], samples: [Attributes] = [[:]],
  function: @escaping @Sendable (Double, Attributes) -> Double,
  gradient: @escaping OpDef.Gradient
) -> OpDef {
  elementwise(
    name, operands: 1, attributes: attributes, fusedOnly: true,
    samples: samples.map { OpSample([activationSample], $0, differentiable: [0]) },
    { operands, attributes in function(operands[0], attributes) }, gradient: gradient)
}

/// The gradient dy * f'(v), where v is the activation's x or y.
private func activationGradient(
  _ name: String, attributes: [AttributeSpec] = [], samples: [Attributes] = [[:]],
  _ derivative: @escaping @Sendable (Double, Attributes) -> Double
) -> OpDef {
  elementwise(
    name, operands: 2, attributes: attributes, fusedOnly: true,
    samples: samples.map { OpSample([activationSample, activationSample], $0) },
    { operands, attributes in operands[0] * derivative(operands[1], attributes) })
}

/// A gradient rule that multiplies dy by the derivative at the operand, or at the result.
private func rule(_ op: String, atResult: Bool = false) -> OpDef.Gradient {
  { context in
    let point = atResult ? context.result(0) : context.operand(0)
    return [try context.builder.emitOne(op, [context.dy(), point], context.attributes)]
  }
}

extension OpRegistry {
  static let activationOps: [OpDef] = [
    sigmoid, sigmoidGrad, tanhOp, tanhGrad, silu, siluGrad, leakyRelu, leakyReluGrad, gelu,
    geluGrad, softplus, softplusGrad, clamp, clampGrad, hardSigmoid, hardSigmoidGrad, hardSwish,
    hardSwishGrad,
  ]

  private static let sigmoid = activation(
    "sigmoid", function: { x, _ in logistic(x) }, gradient: rule("sigmoid_grad", atResult: true))
  /// dy * y * (1 - y).
  private static let sigmoidGrad = activationGradient("sigmoid_grad") { y, _ in y * (1 - y) }

  private static let tanhOp = activation(
    "tanh", function: { x, _ in tanh(x) }, gradient: rule("tanh_grad", atResult: true))
  /// dy * (1 - y^2).
  private static let tanhGrad = activationGradient("tanh_grad") { y, _ in 1 - y * y }

  /// x * sigmoid(x).
  private static let silu = activation(
    "silu", function: { x, _ in x / (1 + exp(-x)) }, gradient: rule("silu_grad"))
  private static let siluGrad = activationGradient("silu_grad") { x, _ in
    logistic(x) * (1 + x * (1 - logistic(x)))
  }

  private static let slope = [AttributeSpec("slope", .float, default: .float(0.01))]

  /// x, or x * slope where x is negative.
  private static let leakyRelu = activation(
    "leaky_relu", attributes: slope, samples: [["slope": .float(0.1)]],
    function: { x, attributes in x < 0 ? x * attributes.float("slope") : x },
    gradient: rule("leaky_relu_grad"))
  private static let leakyReluGrad = activationGradient("leaky_relu_grad", attributes: slope) {
    x, attributes in
    x > 0 ? 1 : attributes.float("slope")
  }

  private static let geluForm = [AttributeSpec("tanh", .bool, default: .bool(false))]
  private static let geluForms: [Attributes] = [["tanh": .bool(false)], ["tanh": .bool(true)]]

  /// x times the normal distribution function of x, by erf, or with `tanh` its approximation.
  private static let gelu = activation(
    "gelu", attributes: geluForm, samples: geluForms,
    function: { x, attributes in
      let part = attributes.bool("tanh") ? tanh(geluInner(x).value) : erf(x / 2.0.squareRoot())
      return x * (1 + part) / 2
    },
    gradient: rule("gelu_grad"))
  private static let geluGrad = activationGradient(
    "gelu_grad", attributes: geluForm, samples: geluForms
  ) { x, attributes in
    guard attributes.bool("tanh") else {
      return (1 + erf(x / 2.0.squareRoot())) / 2 + x * density(x)
    }
    let (value, slope) = geluInner(x)
    let t = tanh(value)
    return (1 + t) / 2 + x * (1 - t * t) * slope / 2
  }

  private static let beta = [AttributeSpec("beta", .float, default: .float(1))]

  /// log(1 + exp(beta * x)) / beta.
  private static let softplus = activation(
    "softplus", attributes: beta, samples: [[:], ["beta": .float(2.5)]],
    function: { x, attributes in
      let scaled = attributes.float("beta") * x
      return (max(scaled, 0) + log1p(exp(-abs(scaled)))) / attributes.float("beta")
    },
    gradient: rule("softplus_grad"))
  private static let softplusGrad = activationGradient("softplus_grad", attributes: beta) {
    x, attributes in
    logistic(attributes.float("beta") * x)
  }

  private static let bounds = [AttributeSpec("low", .float), AttributeSpec("high", .float)]
  private static let boundsSample: [Attributes] = [["low": .float(-0.25), "high": .float(0.5)]]

  /// x within [low, high]: ReLU6 and Hardtanh.
  private static let clamp = activation(
    "clamp", attributes: bounds, samples: boundsSample,
    function: { x, attributes in min(max(x, attributes.float("low")), attributes.float("high")) },
    gradient: rule("clamp_grad"))
  /// dy strictly between the bounds.
  private static let clampGrad = activationGradient(
    "clamp_grad", attributes: bounds, samples: boundsSample
  ) { x, attributes in x > attributes.float("low") && x < attributes.float("high") ? 1 : 0 }

  /// x / 6 + 1 / 2 within [0, 1] (Howard et al. 2019).
  private static let hardSigmoid = activation(
    "hard_sigmoid", function: { x, _ in min(max(x / 6 + 0.5, 0), 1) },
    gradient: rule("hard_sigmoid_grad"))
  private static let hardSigmoidGrad = activationGradient("hard_sigmoid_grad") { x, _ in
    abs(x) < 3 ? 1.0 / 6 : 0
  }

  /// x * hard_sigmoid(x) (Howard et al. 2019).
  private static let hardSwish = activation(
    "hard_swish", function: { x, _ in x * min(max(x / 6 + 0.5, 0), 1) },
    gradient: rule("hard_swish_grad"))
  private static let hardSwishGrad = activationGradient("hard_swish_grad") { x, _ in
    abs(x) < 3 ? x / 3 + 0.5 : x > 0 ? 1 : 0
  }
}
