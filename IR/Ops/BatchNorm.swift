// Batch normalisation (Ioffe and Szegedy 2015) by channel, with PyTorch's conventions: biased
// variance normalises, unbiased variance enters the running statistics, `momentum` is the weight of
// the new batch.

import Foundation

private let epsilon = AttributeSpec("eps", .float, default: .float(1e-5))

/// The mode of a batch norm: `train` normalises by the batch and updates the running statistics,
/// `eval` by these.
public enum BatchNormMode: String, Sendable {
  case train, eval
}

private func channelMoments(_ x: [Double], _ channels: Int) -> (mean: [Double], variance: [Double])
{
  let count = Double(x.count / max(channels, 1))
  var mean = [Double](repeating: 0, count: channels)
  var variance = mean
  for (i, value) in x.enumerated() { mean[i % channels] += value / count }
  for (i, value) in x.enumerated() {
    variance[i % channels] += (value - mean[i % channels]) * (value - mean[i % channels]) / count
  }
  return (mean, variance)
}

extension OpRegistry {
  static let batchNormOps: [OpDef] = [batchNorm, batchNormGrad, batchNormFold, scaleFilters]

  private static func vectors(_ types: OpTypes, _ range: ClosedRange<Int>, channels: Int) throws {
    for index in range {
      try types.expect(index, TensorType(.f32, [channels]), "one number a channel")
    }
  }

  /// batch_norm(x, gamma, beta, running_mean, running_var, epilogue...)
  /// eval: y [, bits]; train: y, mean, 1/std, new running mean, new running variance [, bits].
  private static let batchNorm = OpDef(
    "batch_norm",
    attributes: [
      epsilon, AttributeSpec("momentum", .float, default: .float(0.1)),
      AttributeSpec("mode", .string), Epilogue.spec,
    ],
    fusion: .outFusable, inPlace: [(0, 0), (3, 3), (4, 4)],
    samples: [
      OpSample(
        [.f32(3, 2, 3, 5), .f32(5), .f32(5), .f32(5), .f32(5)], ["mode": .string("train")],
        positive: [4], differentiable: [0, 1, 2]),
      OpSample(
        [.f32(3, 2, 3, 5), .f32(5), .f32(5), .f32(5), .f32(5)], ["mode": .string("eval")],
        positive: [4], differentiable: [0, 1, 2]),
      OpSample(
        [.f32(2, 3, 3, 17), .f32(17), .f32(17), .f32(17), .f32(17), .f32(2, 3, 3, 17)],
        ["mode": .string("train"), "epilogue": .string("residual+relu+bits")],
        positive: [4]),
    ],
    infer: { types in
      guard types.operands.count >= 5 else {
        throw IRError("expected 5 operands or more, got \(types.operands.count)")
      }
      try types.expect(0, .f32)
      try vectors(types, 1...4, channels: types[0].channels)
      let epilogue = try Epilogue.of(types.attributes)
      try epilogue.check(types, base: 5, type: types[0])
      let vector = TensorType(.f32, [types[0].channels])
      switch BatchNormMode(rawValue: types.attributes.string("mode")) {
      case .eval?: return [types[0]] + epilogue.extraResults(types[0])
      case .train?:
        guard types[0].count > types[0].channels else {
          throw IRError("a batch of one value a channel has no variance to train on")
        }
        return [types[0], vector, vector, vector, vector] + epilogue.extraResults(types[0])
      case nil: throw IRError("attribute 'mode' must be \"train\" or \"eval\"")
      }
    },
    reference: { call in
      let channels = call.types[0].channels
      let training = call.attributes.string("mode") == BatchNormMode.train.rawValue
      let (mean, variance) =
        training ? channelMoments(call[0], channels) : (call[3], call[4])
      let invstd = variance.map { 1 / ($0 + call.attributes.float("eps")).squareRoot() }
      let y = call[0].enumerated().map { i, x in
        (x - mean[i % channels]) * invstd[i % channels] * call[1][i % channels]
          + call[2][i % channels]
      }
      let finished = try Epilogue.of(call.attributes).apply(y, call, base: 5)
      guard training else { return finished }
      let count = Double(call[0].count / channels)
      let momentum = call.attributes.float("momentum")
      let newMean = zip(call[3], mean).map { $0 * (1 - momentum) + $1 * momentum }
      let newVariance = zip(call[4], variance).map {
        $0 * (1 - momentum) + $1 * count / (count - 1) * momentum
      }
      return [finished[0], mean, invstd, newMean, newVariance] + finished.dropFirst()
    },
    gradient: { context in
      let mode = BatchNormMode(rawValue: context.attributes.string("mode"))
      return try mode == .train
        ? trainingGradient(context) : evaluationGradient(context)
    })

  private static func trainingGradient(_ context: GradientContext) throws -> [ValueID?] {
    let grads = try context.builder.emit(
      "batch_norm_grad",
      [context.dy(), context.operand(0), context.operand(1), context.result(1), context.result(2)])
    return [grads[0], grads[1], grads[2], nil, nil]
  }

  private static func evaluationGradient(_ context: GradientContext) throws -> [ValueID?] {
    let builder = context.builder
    let dy = try context.dy()
    let eps: Attributes = ["eps": .float(context.attributes.float("eps"))]
    let dx = try context.ifWanted(0) {
      let fold = try builder.emit("batch_norm_fold", (1...4).map(context.operand), eps)
      return try builder.emitOne("channel_scale", [dy, fold[0]])
    }
    let dgamma = try context.ifWanted(1) {
      let channels = context.type(context.operand(1)).count
      let one = try builder.emitOne(
        "constant", [], ["values": .floats(Array(repeating: 1, count: channels))])
      let zero = try builder.emitOne(
        "constant", [], ["values": .floats(Array(repeating: 0, count: channels))])
      let fold = try builder.emit(
        "batch_norm_fold", [one, zero, context.operand(3), context.operand(4)], eps)
      let normalized = try builder.emitOne("affine", [context.operand(0), fold[0], fold[1]])
      return try builder.emitOne("channel_dot", [dy, normalized])
    }
    let dbeta = try context.ifWanted(2) { try builder.emitOne("channel_sum", [dy]) }
    return [dx, dgamma, dbeta, nil, nil]
  }

  /// batch_norm_grad(dy, x, gamma, mean, invstd [, bits]) -> dx, dgamma, dbeta, in training mode.
  /// With the epilogue `mask`, dy is first selected by bits.
  private static let batchNormGrad = OpDef(
    "batch_norm_grad", attributes: [Epilogue.spec], fusion: .reduction, inPlace: [(0, 0)],
    samples: [
      OpSample([.f32(3, 2, 3, 5), .f32(3, 2, 3, 5), .f32(5), .f32(5), .f32(5)]),
      OpSample(
        [
          .f32(3, 2, 3, 17), .f32(3, 2, 3, 17), .f32(17), .f32(17), .f32(17),
          TensorType(.bits, [3, 2, 3, 17]),
        ], ["epilogue": .string("mask")]),
    ],
    infer: { types in
      guard types.operands.count >= 5 else {
        throw IRError("expected 5 operands or more, got \(types.operands.count)")
      }
      try types.expect(0, .f32)
      try types.expect(1, types[0], "x")
      try vectors(types, 2...4, channels: types[0].channels)
      let epilogue = try Epilogue.of(types.attributes)
      guard epilogue.isSubset(of: .mask) else { throw IRError("only the epilogue mask is known") }
      try epilogue.check(types, base: 5, type: types[0])
      let vector = TensorType(.f32, [types[0].channels])
      return [types[0], vector, vector]
    },
    reference: { call in
      let (x, gamma, mean, invstd) = (call[1], call[2], call[3], call[4])
      let channels = call.types[0].channels
      let count = Double(x.count / channels)
      let masked = try Epilogue.of(call.attributes).contains(.mask)
      let dy = masked ? zip(call[0], call[5]).map { $1 == 0 ? 0 : $0 } : call[0]
      var dbeta = [Double](repeating: 0, count: channels)
      var dgamma = dbeta
      func normalized(_ i: Int) -> Double { (x[i] - mean[i % channels]) * invstd[i % channels] }
      for i in x.indices {
        dbeta[i % channels] += dy[i]
        dgamma[i % channels] += dy[i] * normalized(i)
      }
      let dx = x.indices.map { i in
        let c = i % channels
        return gamma[c] * invstd[c] * (dy[i] - dbeta[c] / count - normalized(i) * dgamma[c] / count)
      }
      return [dx, dgamma, dbeta]
    })

  /// batch_norm_fold(gamma, beta, mean, var) -> scale = gamma / sqrt(var + eps), shift = beta -
  /// mean * scale.
  private static let batchNormFold = OpDef(
    "batch_norm_fold", attributes: [epsilon],
    samples: [OpSample([.f32(5), .f32(5), .f32(5), .f32(5)], positive: [3])],
    infer: { types in
      try types.expectCount(4)
      try types.expect(0, .f32, rank: 1)
      try vectors(types, 1...3, channels: types[0].count)
      return [types[0], types[0]]
    },
    reference: { call in
      let scale = zip(call[0], call[3]).map {
        $0 / ($1 + call.attributes.float("eps")).squareRoot()
      }
      let shift = scale.indices.map { call[1][$0] - call[2][$0] * scale[$0] }
      return [scale, shift]
    })

  /// Filters times one number for each output channel (axis 0) or input channel (axis 1).
  private static let scaleFilters = OpDef(
    "scale_filters", attributes: [AttributeSpec("axis", .int, default: .int(0))], inPlace: [(0, 0)],
    samples: [
      OpSample([.f32(5, 3, 2, 2), .f32(5)]),
      OpSample([.f32(5, 3, 2, 2), .f32(3)], ["axis": .int(1)]),
    ],
    infer: { types in
      try types.expectCount(2)
      try types.expect(0, .f32)
      let axis = types.attributes.int("axis")
      guard axis == 0 || axis == 1, types[0].rank > axis else {
        throw IRError("axis must be 0 or 1 of \(types[0]), is \(axis)")
      }
      try types.expect(1, TensorType(.f32, [types[0].shape[axis]]), "scale")
      return [types[0]]
    },
    reference: { call in
      [call.types[0].scaled(call[0], by: call[1], axis: call.attributes.int("axis"))]
    })
}

extension TensorType {
  /// Values of this type times one number for each index of an axis (reference).
  func scaled(_ values: [Double], by scale: [Double], axis: Int) -> [Double] {
    let inner = max(shape.dropFirst(axis + 1).reduce(1, *), 1)
    return values.enumerated().map { i, value in value * scale[i / inner % scale.count] }
  }
}
