// Element-wise operations and their broadcasts of per-channel vectors.

/// An operation of operands of one type whose first result has that type too.
func elementwise(
  _ name: String, operands: Int, attributes: [AttributeSpec] = [], fusedOnly: Bool = false,
  samples: [OpSample],
  _ function: @escaping @Sendable ([Double], Attributes) -> Double,
  gradient: OpDef.Gradient? = nil
) -> OpDef {
  OpDef(
    name, attributes: attributes, fusion: .elementwise, fusedOnly: fusedOnly,
    inPlace: (0..<operands).map { (result: 0, operand: $0) }, samples: samples,
    infer: { types in
      try types.expectCount(operands)
      try types.expect(0, .f32)
      for index in 1..<max(operands, 1) { try types.expect(index, types[0], "like operand 0") }
      return [types[0]]
    },
    reference: { call in
      [call[0].indices.map { i in function(call.inputs.map { $0[i] }, call.attributes) }]
    },
    gradient: gradient)
}

/// An operation on an activation [..., C] and vectors [C].
private func channelwise(
  _ name: String, vectors: Int, samples: [OpSample],
  _ function: @escaping @Sendable (_ x: Double, _ vectors: [Double]) -> Double,
  gradient: @escaping OpDef.Gradient
) -> OpDef {
  OpDef(
    name, fusion: .elementwise, inPlace: [(0, 0)], samples: samples,
    infer: { types in
      try types.expectCount(1 + vectors)
      try types.expect(0, .f32)
      let vector = TensorType(.f32, [types[0].channels])
      for index in 1...vectors { try types.expect(index, vector, "one number a channel") }
      return [types[0]]
    },
    reference: { call in
      let channels = call.types[0].channels
      return [
        call[0].indices.map { i in
          function(call[0][i], call.inputs[1...].map { $0[i % channels] })
        }
      ]
    },
    gradient: gradient)
}

extension OpRegistry {
  static let elementwiseOps: [OpDef] = [
    add, multiply, scale, relu, reluGrad, reluBits, mask, affine, channelScale, biasAdd, pointwise,
    channelSum, channelDot, constant,
  ]

  private static let add = elementwise(
    "add", operands: 2,
    samples: [
      OpSample([.f32(2, 3, 3, 5), .f32(2, 3, 3, 5)], differentiable: [0, 1]),
      OpSample([.f32(7), .f32(7)]), OpSample([.f32(5, 3, 3, 3), .f32(5, 3, 3, 3)]),
    ],
    { operands, _ in operands[0] + operands[1] },
    gradient: { context in
      let dy = try context.dy()
      return context.wanted.map { $0 ? dy : nil }
    })

  private static let multiply = elementwise(
    "multiply", operands: 2,
    samples: [OpSample([.f32(2, 3, 5), .f32(2, 3, 5)], differentiable: [0, 1])],
    { operands, _ in operands[0] * operands[1] },
    gradient: { context in
      let dy = try context.dy()
      return [
        try context.ifWanted(0) {
          try context.builder.emitOne("multiply", [dy, context.operand(1)])
        },
        try context.ifWanted(1) {
          try context.builder.emitOne("multiply", [dy, context.operand(0)])
        },
      ]
    })

  /// y = x * factor.
  private static let scale = elementwise(
    "scale", operands: 1, attributes: [AttributeSpec("factor", .float)],
    samples: [OpSample([.f32(2, 3, 5)], ["factor": .float(-0.5)], differentiable: [0])],
    { operands, attributes in operands[0] * attributes.float("factor") },
    gradient: { context in
      [try context.builder.emitOne("scale", [context.dy()], context.attributes)]
    })

  private static let relu = elementwise(
    "relu", operands: 1, samples: [OpSample([.f32(2, 3, 3, 9)], differentiable: [0])],
    { operands, _ in max(operands[0], 0) },
    gradient: { context in
      [try context.builder.emitOne("relu_grad", [context.dy(), context.result(0)])]
    })

  /// dy where y > 0, else 0. `minimizeSaved` replaces it by `mask`.
  private static let reluGrad = elementwise(
    "relu_grad", operands: 2, samples: [OpSample([.f32(2, 3, 3, 9), .f32(2, 3, 3, 9)])],
    { operands, _ in operands[1] > 0 ? operands[0] : 0 })

  /// ReLU and its sign bits.
  private static let reluBits = OpDef(
    "relu_bits", fusion: .elementwise, inPlace: [(0, 0)],
    samples: [OpSample([.f32(2, 3, 3, 9)]), OpSample([.f32(2, 16)]), OpSample([.f32(11)])],
    infer: { types in
      try types.expectCount(1)
      try types.expect(0, .f32)
      return [types[0], TensorType(.bits, types[0].shape)]
    },
    reference: { call in
      [call[0].map { max($0, 0) }, call[0].map { $0 > 0 ? 1 : 0 }]
    })

  /// x where the bit is set, else 0.
  private static let mask = OpDef(
    "mask", fusion: .elementwise, inPlace: [(0, 0)],
    samples: [OpSample([.f32(2, 3, 3, 9), TensorType(.bits, [2, 3, 3, 9])])],
    infer: { types in
      try types.expectCount(2)
      try types.expect(0, .f32)
      try types.expect(1, TensorType(.bits, types[0].shape), "bits")
      return [types[0]]
    },
    reference: { call in [zip(call[0], call[1]).map { $1 == 0 ? 0 : $0 }] })

  /// y = x * scale + shift, by channel: batch norm in evaluation mode, normalisation of images.
  private static let affine = channelwise(
    "affine", vectors: 2,
    samples: [OpSample([.f32(2, 3, 3, 5), .f32(5), .f32(5)], differentiable: [0, 1, 2])],
    { x, vectors in x * vectors[0] + vectors[1] },
    gradient: { context in
      let dy = try context.dy()
      return [
        try context.ifWanted(0) {
          try context.builder.emitOne("channel_scale", [dy, context.operand(1)])
        },
        try context.ifWanted(1) {
          try context.builder.emitOne("channel_dot", [dy, context.operand(0)])
        },
        try context.ifWanted(2) { try context.builder.emitOne("channel_sum", [dy]) },
      ]
    })

  /// y = x * scale, by channel.
  private static let channelScale = channelwise(
    "channel_scale", vectors: 1,
    samples: [OpSample([.f32(2, 3, 3, 5), .f32(5)], differentiable: [0, 1])],
    { x, vectors in x * vectors[0] },
    gradient: { context in
      let dy = try context.dy()
      return [
        try context.ifWanted(0) {
          try context.builder.emitOne("channel_scale", [dy, context.operand(1)])
        },
        try context.ifWanted(1) {
          try context.builder.emitOne("channel_dot", [dy, context.operand(0)])
        },
      ]
    })

  /// y = x + bias, by channel.
  private static let biasAdd = channelwise(
    "bias_add", vectors: 1,
    samples: [OpSample([.f32(2, 3, 3, 5), .f32(5)], differentiable: [0, 1])],
    { x, vectors in x + vectors[0] },
    gradient: { context in
      let dy = try context.dy()
      return [
        context.wanted[0] ? dy : nil,
        try context.ifWanted(1) { try context.builder.emitOne("channel_sum", [dy]) },
      ]
    })

  /// Fused element-wise work: the epilogue alone, applied to x.
  private static let pointwise = OpDef(
    "pointwise", attributes: [Epilogue.spec], fusion: .elementwise, inPlace: [(0, 0)],
    samples: [
      OpSample(
        [.f32(2, 3, 3, 9), .f32(9), .f32(9), .f32(2, 3, 3, 9)],
        ["epilogue": .string("scale+shift+residual+relu+bits")]),
      OpSample(
        [.f32(2, 3, 3, 17), .f32(2, 3, 3, 17), TensorType(.bits, [2, 3, 3, 17])],
        ["epilogue": .string("residual+mask")]),
    ],
    infer: { types in
      guard let type = types.operands.first else { throw IRError("expected an operand") }
      try types.expect(0, .f32)
      let epilogue = try Epilogue.of(types.attributes)
      try epilogue.check(types, base: 1, type: type)
      return [type] + epilogue.extraResults(type)
    },
    reference: { call in try Epilogue.of(call.attributes).apply(call[0], call, base: 1) })

  /// y[c] = sum over all but the last axis of x[..., c].
  private static let channelSum = OpDef(
    "channel_sum", fusion: .reduction, samples: [OpSample([.f32(3, 2, 2, 5)])],
    infer: { types in
      try types.expectCount(1)
      try types.expect(0, .f32)
      return [TensorType(.f32, [types[0].channels])]
    },
    reference: { call in
      let channels = call.types[0].channels
      var sums = [Double](repeating: 0, count: channels)
      for (i, x) in call[0].enumerated() { sums[i % channels] += x }
      return [sums]
    })

  /// y[c] = sum over all but the last axis of a[..., c] * b[..., c].
  private static let channelDot = OpDef(
    "channel_dot", fusion: .reduction, samples: [OpSample([.f32(3, 2, 2, 5), .f32(3, 2, 2, 5)])],
    infer: { types in
      try types.expectCount(2)
      try types.expect(0, .f32)
      try types.expect(1, types[0], "like operand 0")
      return [TensorType(.f32, [types[0].channels])]
    },
    reference: { call in
      let channels = call.types[0].channels
      var sums = [Double](repeating: 0, count: channels)
      for i in call[0].indices { sums[i % channels] += call[0][i] * call[1][i] }
      return [sums]
    })

  /// A vector known when the graph is written.
  private static let constant = OpDef(
    "constant", attributes: [AttributeSpec("values", .floats)],
    samples: [OpSample([], ["values": .floats([0.5, -1, 2])])],
    infer: { types in
      try types.expectCount(0)
      return [.f32(types.attributes.floats("values").count)]
    },
    reference: { call in [call.attributes.floats("values")] })
}
