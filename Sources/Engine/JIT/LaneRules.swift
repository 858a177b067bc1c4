import Foundation
import IR
import Kernels

/// What operations are on lanes: from the operands' steps to the results'. A result of bits is a
/// step that is positive where the bit is set.
typealias LaneRule = @Sendable (inout LaneBuilder, Attributes, [Int]) throws -> [Int]

enum LaneRules {
  static let all: [String: LaneRule] = arithmetic.merging(activations) { a, _ in a }

  private static let arithmetic: [String: LaneRule] = [
    "add": { b, _, x in [b.add(x[0], x[1])] },
    "subtract": { b, _, x in [b.subtract(x[0], x[1])] },
    "multiply": { b, _, x in [b.multiply(x[0], x[1])] },
    "divide": { b, _, x in [b.divide(x[0], x[1])] },
    "scale": { b, attributes, x in [b.scale(x[0], attributes.float("factor"))] },
    "exp": { b, _, x in [b.exp(x[0])] },
    "log": { b, _, x in [b.step(CLAT_LANE_LOG, x[0])] },
    "affine": { b, _, x in [b.multiplyAdd(x[0], x[1], x[2])] },
    "channel_scale": { b, _, x in [b.multiply(x[0], x[1])] },
    "bias_add": { b, _, x in [b.add(x[0], x[1])] },
    "image_scale": { b, _, x in [b.multiply(x[0], x[1])] },
    "image_shift": { b, _, x in [b.add(x[0], x[1])] },
    "image_broadcast": { _, _, x in x },
    "pointwise": { b, attributes, x in try pointwise(&b, Epilogue.of(attributes), x) },
  ]

  private static let activations: [String: LaneRule] = [
    "relu": { b, _, x in [b.maximum(x[0], b.constant(0))] },
    "relu_bits": { b, _, x in [b.maximum(x[0], b.constant(0)), x[0]] },
    "relu_grad": { b, _, x in [b.select(x[1], x[0], b.constant(0))] },
    "mask": { b, _, x in [b.select(x[1], x[0], b.constant(0))] },
    "sigmoid": { b, _, x in [b.sigmoid(x[0])] },
    "sigmoid_grad": { b, _, x in
      [b.multiply(x[0], b.multiply(x[1], b.subtract(b.constant(1), x[1])))]
    },
    "tanh": { b, _, x in [b.step(CLAT_LANE_TANH, x[0])] },
    "tanh_grad": { b, _, x in
      [b.multiply(x[0], b.subtract(b.constant(1), b.multiply(x[1], x[1])))]
    },
    "silu": { b, _, x in [b.divide(x[0], b.logisticDenominator(x[0]))] },
    "silu_grad": { b, _, x in
      let s = b.sigmoid(x[1])
      let inner = b.multiply(x[1], b.subtract(b.constant(1), s))
      return [b.multiply(x[0], b.multiplyAdd(s, inner, s))]
    },
    "leaky_relu": { b, attributes, x in
      [b.select(x[0], x[0], b.scale(x[0], attributes.float("slope")))]
    },
    "leaky_relu_grad": { b, attributes, x in
      [b.select(x[1], x[0], b.scale(x[0], attributes.float("slope")))]
    },
    "gelu": { b, attributes, x in
      let part =
        attributes.bool("tanh")
        ? b.step(CLAT_LANE_TANH, geluInner(&b, x[0]))
        : b.step(CLAT_LANE_ERF, b.scale(x[0], 0.5.squareRoot()))
      return [b.multiply(b.scale(x[0], 0.5), b.add(b.constant(1), part))]
    },
    "gelu_grad": { b, attributes, x in
      let slope = attributes.bool("tanh") ? geluTanhSlope(&b, x[1]) : geluSlope(&b, x[1])
      return [b.multiply(x[0], slope)]
    },
    "softplus": { b, attributes, x in
      let scaled = b.scale(x[0], attributes.float("beta"))
      let tail = b.exp(b.scale(b.step(CLAT_LANE_ABSOLUTE, scaled), -1))
      let sum = b.add(b.maximum(scaled, b.constant(0)), b.step(CLAT_LANE_LOG1P, tail))
      return [b.scale(sum, 1 / attributes.float("beta"))]
    },
    "softplus_grad": { b, attributes, x in
      [b.multiply(x[0], b.sigmoid(b.scale(x[1], attributes.float("beta"))))]
    },
    "clamp": { b, attributes, x in
      [b.clamp(x[0], attributes.float("low"), attributes.float("high"))]
    },
    "clamp_grad": { b, attributes, x in
      [b.between(x[1], attributes.float("low"), attributes.float("high"), x[0], b.constant(0))]
    },
    "hard_sigmoid": { b, _, x in [b.hardSigmoid(x[0])] },
    "hard_sigmoid_grad": { b, _, x in
      [b.between(x[1], -3, 3, b.scale(x[0], 1.0 / 6), b.constant(0))]
    },
    "hard_swish": { b, _, x in [b.multiply(x[0], b.hardSigmoid(x[0]))] },
    "hard_swish_grad": { b, _, x in
      let slope = b.multiplyAdd(x[1], b.constant(1.0 / 3), b.constant(0.5))
      let outside = b.select(x[1], x[0], b.constant(0))
      return [b.between(x[1], -3, 3, b.multiply(x[0], slope), outside)]
    },
  ]

  private static func pointwise(
    _ b: inout LaneBuilder, _ epilogue: Epilogue, _ x: [Int]
  ) throws -> [Int] {
    func operand(_ part: Epilogue) -> Int? {
      epilogue.operandIndex(part, base: 1).map { x[$0] }
    }
    var y = x[0]
    if let scale = operand(.scale) { y = b.multiply(y, scale) }
    if let shift = operand(.shift) { y = b.add(y, shift) }
    if let residual = operand(.residual) { y = b.add(y, residual) }
    if let mask = operand(.mask) { return [b.select(mask, y, b.constant(0))] }
    guard epilogue.contains(.relu) else { return [y] }
    let rectified = b.maximum(y, b.constant(0))
    return epilogue.contains(.bits) ? [rectified, y] : [rectified]
  }

  private static let geluFactor = (2 / Double.pi).squareRoot()

  /// sqrt(2 / pi) * (x + 0.044715 x^3).
  private static func geluInner(_ b: inout LaneBuilder, _ x: Int) -> Int {
    let square = b.multiply(x, x)
    let factor = b.multiplyAdd(
      square, b.constant(geluFactor * 0.044715), b.constant(geluFactor))
    return b.multiply(x, factor)
  }

  private static func geluTanhSlope(_ b: inout LaneBuilder, _ x: Int) -> Int {
    let t = b.step(CLAT_LANE_TANH, geluInner(&b, x))
    let square = b.multiply(x, x)
    let slope = b.multiplyAdd(
      square, b.constant(geluFactor * 0.134145), b.constant(geluFactor))
    let rest = b.multiply(b.subtract(b.constant(1), b.multiply(t, t)), b.multiply(x, slope))
    return b.scale(b.add(b.add(b.constant(1), t), rest), 0.5)
  }

  private static func geluSlope(_ b: inout LaneBuilder, _ x: Int) -> Int {
    let part = b.step(CLAT_LANE_ERF, b.scale(x, 0.5.squareRoot()))
    let density = b.scale(
      b.exp(b.scale(b.multiply(x, x), -0.5)), 1 / (2 * Double.pi).squareRoot())
    return b.multiplyAdd(x, density, b.scale(b.add(b.constant(1), part), 0.5))
  }
}

extension Region {
  /// The region with log_softmax as the sums and differences that it is.
  func expanded() throws -> Region {
    guard nodes.contains(where: { $0.op == "log_softmax" }) else { return self }
    let builder = GraphBuilder(name: "region")
    var map: [ValueID] = try (0..<parameterCount).map {
      try builder.input("\($0)", values[$0], .data)
    }
    for node in nodes {
      let operands = node.operands.map { map[$0.index] }
      map +=
        node.op == "log_softmax"
        ? [try builder.logSoftmax(operands[0])]
        : try builder.emit(node.op, operands, node.attributes)
    }
    for (index, result) in results.enumerated() { builder.output("\(index)", map[result.index]) }
    return Region(builder.graph)
  }
}

extension GraphBuilder {
  fileprivate func logSoftmax(_ x: ValueID) throws -> ValueID {
    func negative(_ x: ValueID) throws -> ValueID {
      try emitOne("scale", [x], ["factor": .float(-1)])
    }
    let shifted = try emitOne("image_shift", [x, negative(emitOne("image_max", [x]))])
    let sum = try emitOne("image_sum", [emitOne("exp", [shifted])])
    return try emitOne("image_shift", [shifted, negative(emitOne("log", [sum]))])
  }
}
