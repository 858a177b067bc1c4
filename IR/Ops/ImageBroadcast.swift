// Operations between a tensor [N, ...] and one number an image, [N], or a channel of an image,
// [N, C]: gates of squeeze and excitation, losses by image. They run in fused regions.

import Foundation

/// The index into a vector [N] or [N, C] of the element `index` of a tensor of `type`.
private func vectorIndex(_ index: Int, _ type: TensorType, _ vector: TensorType) -> Int {
  let image = index / (type.count / type.shape[0])
  return vector.rank == 1 ? image : image * type.channels + index % type.channels
}

extension OpTypes {
  /// Operand `index` is one number an image of `type`, or a channel of an image.
  fileprivate func expectVector(_ index: Int, of type: TensorType) throws {
    try expect(index, .f32)
    let shape = operands[index].shape
    let perImage = type.rank > 1 && shape == [type.shape[0]]
    let perChannel = type.rank > 2 && shape == [type.shape[0], type.channels]
    guard perImage || perChannel else {
      throw IRError(
        "operand \(index) must be one number an image of \(type), or a channel of an image, is "
          + "\(operands[index])")
    }
  }
}

extension GraphBuilder {
  /// The sum of x over what a vector of type [N] or [N, C] does not tell apart.
  fileprivate func imageSum(_ x: ValueID, to vector: TensorType) throws -> ValueID {
    try emitOne(vector.rank == 1 ? "image_sum" : "image_channel_sum", [x])
  }
}

/// An operation on x [N, ...] and a vector [N] or [N, C].
private func broadcasting(
  _ name: String, _ function: @escaping @Sendable (Double, Double) -> Double,
  gradient: @escaping OpDef.Gradient
) -> OpDef {
  OpDef(
    name, fusion: .imagewise, fusedOnly: true, inPlace: [(0, 0)],
    samples: [
      OpSample([.f32(3, 2, 2, 5), .f32(3)], differentiable: [0, 1]),
      OpSample([.f32(3, 2, 2, 5), .f32(3, 5)], differentiable: [0, 1]),
      OpSample([.f32(3, 17), .f32(3)], differentiable: [0, 1]),
    ],
    infer: { types in
      try types.expectCount(2)
      try types.expect(0, .f32)
      try types.expectVector(1, of: types[0])
      return [types[0]]
    },
    reference: { call in
      [
        call[0].indices.map { i in
          function(call[0][i], call[1][vectorIndex(i, call.types[0], call.types[1])])
        }
      ]
    },
    gradient: gradient)
}

/// A reduction of every image of x [N, ...].
private func reduction(
  _ name: String, rank: Int, samples: [OpSample],
  result: @escaping @Sendable (TensorType) -> TensorType, initial: Double,
  _ combine: @escaping @Sendable (Double, Double) -> Double, gradient: OpDef.Gradient? = nil
) -> OpDef {
  OpDef(
    name, fusion: .imageReduction, fusedOnly: true, samples: samples,
    infer: { types in
      try types.expectCount(1)
      try types.expect(0, .f32)
      guard types[0].rank >= rank else {
        throw IRError("operand 0 must have rank \(rank) or more, is \(types[0])")
      }
      return [result(types[0])]
    },
    reference: { call in
      var results = [Double](repeating: initial, count: call.resultTypes[0].count)
      for (i, x) in call[0].enumerated() {
        let index = vectorIndex(i, call.types[0], call.resultTypes[0])
        results[index] = combine(results[index], x)
      }
      return [results]
    },
    gradient: gradient)
}

private let spread: OpDef.Gradient = { context in
  let shape = context.type(context.operand(0)).shape
  return [
    try context.builder.emitOne("image_broadcast", [context.dy()], ["shape": .ints(shape)])
  ]
}

extension OpRegistry {
  static let imageOps: [OpDef] = [
    imageScale, imageShift, imageBroadcast, imageSum, imageChannelSum, imageMax, logSoftmax,
  ]

  /// x times a vector [N] or [N, C].
  private static let imageScale = broadcasting(
    "image_scale", { $0 * $1 },
    gradient: { context in
      let (dy, x, vector) = (try context.dy(), context.operand(0), context.operand(1))
      return [
        try context.ifWanted(0) { try context.builder.emitOne("image_scale", [dy, vector]) },
        try context.ifWanted(1) {
          try context.builder.imageSum(
            context.builder.emitOne("multiply", [dy, x]), to: context.type(vector))
        },
      ]
    })

  /// x plus a vector [N] or [N, C].
  private static let imageShift = broadcasting(
    "image_shift", { $0 + $1 },
    gradient: { context in
      let dy = try context.dy()
      return [
        context.wanted[0] ? dy : nil,
        try context.ifWanted(1) {
          try context.builder.imageSum(dy, to: context.type(context.operand(1)))
        },
      ]
    })

  /// A vector [N] or [N, C] as a tensor of `shape`.
  private static let imageBroadcast = OpDef(
    "image_broadcast", attributes: [AttributeSpec("shape", .ints)], fusion: .imagewise,
    fusedOnly: true,
    samples: [
      OpSample([.f32(3)], ["shape": .ints([3, 2, 5])], differentiable: [0]),
      OpSample([.f32(3, 5)], ["shape": .ints([3, 2, 2, 5])], differentiable: [0]),
    ],
    infer: { types in
      try types.expectCount(1)
      let type = TensorType(.f32, types.attributes.ints("shape"))
      try type.check()
      try types.expectVector(0, of: type)
      return [type]
    },
    reference: { call in
      let type = call.resultTypes[0]
      return [(0..<type.count).map { call[0][vectorIndex($0, type, call.types[0])] }]
    },
    gradient: { context in
      [
        try context.builder.imageSum(
          context.dy(), to: context.type(context.operand(0)))
      ]
    })

  /// The sum of every image: [N, ...] to [N].
  private static let imageSum = reduction(
    "image_sum", rank: 2,
    samples: [
      OpSample([.f32(3, 2, 2, 5)], differentiable: [0]), OpSample([.f32(3, 70)]),
    ],
    result: { .f32($0.shape[0]) }, initial: 0, +, gradient: spread)

  /// The sum of every channel of every image: [N, ..., C] to [N, C].
  private static let imageChannelSum = reduction(
    "image_channel_sum", rank: 3,
    samples: [OpSample([.f32(3, 2, 2, 19)], differentiable: [0])],
    result: { .f32($0.shape[0], $0.channels) }, initial: 0, +, gradient: spread)

  /// The maximum of every image: [N, ...] to [N].
  private static let imageMax = reduction(
    "image_max", rank: 2, samples: [OpSample([.f32(3, 2, 2, 5)]), OpSample([.f32(3, 70)])],
    result: { .f32($0.shape[0]) }, initial: -.infinity, { max($0, $1) })

  /// x - log(sum of exp(x)) of every image: logits [N, K] to log-probabilities.
  private static let logSoftmax = OpDef(
    "log_softmax", fusion: .imagewise, fusedOnly: true, inPlace: [(0, 0)],
    samples: [OpSample([.f32(3, 10)], differentiable: [0]), OpSample([.f32(2, 33)])],
    infer: { types in
      try types.expectCount(1)
      try types.expect(0, .f32, rank: 2)
      return [types[0]]
    },
    reference: { call in
      let classes = call.types[0].channels
      return [
        (0..<call.types[0].shape[0]).flatMap { image in
          let row = call[0][image * classes..<(image + 1) * classes]
          let top = row.max() ?? 0
          let logSum = top + log(row.reduce(0) { $0 + exp($1 - top) })
          return row.map { $0 - logSum }
        }
      ]
    },
    gradient: { context in
      let (builder, dy) = (context.builder, try context.dy())
      let probabilities = try builder.emitOne("exp", [context.result(0)])
      let total = try builder.emitOne("image_sum", [dy])
      let scaled = try builder.emitOne("image_scale", [probabilities, total])
      return [try builder.emitOne("subtract", [dy, scaled])]
    })
}
