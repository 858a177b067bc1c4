// Fully connected layers: x [N, I], w [O, I] as in PyTorch, y [N, O].

/// The extents of a fully connected layer.
public struct LinearShape: Hashable, Sendable {
  public var images, inFeatures, outFeatures: Int

  public var flops: Double { 2 * Double(images) * Double(inFeatures) * Double(outFeatures) }
  public var input: TensorType { .f32(images, inFeatures) }
  public var output: TensorType { .f32(images, outFeatures) }
  public var weights: TensorType { .f32(outFeatures, inFeatures) }

  /// Reads the weights' operand 1, f32 or packed.
  static func weights(_ types: OpTypes) throws -> (out: Int, in: Int) {
    guard types.operands.count > 1, types[1].rank == 2,
      types[1].dtype == .f32 || types[1].dtype == .packed
    else { throw IRError("operand 1 (weights) must be f32 or packed of rank 2") }
    return (types[1].shape[0], types[1].shape[1])
  }

  public static func forward(_ types: OpTypes) throws -> LinearShape {
    let (out, inputs) = try weights(types)
    try types.expect(0, .f32, rank: 2)
    let shape = LinearShape(images: types[0].shape[0], inFeatures: inputs, outFeatures: out)
    try types.expect(0, shape.input, "x")
    return shape
  }

  public static func inputGradient(_ types: OpTypes) throws -> LinearShape {
    let (out, inputs) = try weights(types)
    try types.expect(0, .f32, rank: 2)
    let shape = LinearShape(images: types[0].shape[0], inFeatures: inputs, outFeatures: out)
    try types.expect(0, shape.output, "dy")
    return shape
  }

  public static func weightGradient(_ types: OpTypes) throws -> LinearShape {
    try types.expectCount(2)
    try types.expect(0, .f32, rank: 2)
    try types.expect(1, .f32, rank: 2)
    let shape = LinearShape(
      images: types[0].shape[0], inFeatures: types[0].shape[1], outFeatures: types[1].shape[1])
    try types.expect(1, shape.output, "dy")
    return shape
  }

  /// Calls `body(output, input, weight)` with the flat index of every multiplication's operands.
  func forEachProduct(_ body: (_ output: Int, _ input: Int, _ weight: Int) -> Void) {
    for n in 0..<images {
      for o in 0..<outFeatures {
        for i in 0..<inFeatures {
          body(n * outFeatures + o, n * inFeatures + i, o * inFeatures + i)
        }
      }
    }
  }
}

extension OpRegistry {
  static let linearOps: [OpDef] = [linear, linearInputGrad, linearWeightGrad]

  /// y[n, o] = sum over i of x[n, i] * w[o, i].
  private static let linear = OpDef(
    "linear", attributes: [Epilogue.spec], fusion: .outFusable,
    samples: [
      OpSample([.f32(3, 5), .f32(4, 5)], differentiable: [0, 1]),
      OpSample([.f32(2, 70), .f32(17, 70)]),
      OpSample([.f32(3, 5), .f32(4, 5), .f32(4)], ["epilogue": .string("shift")]),
    ],
    flops: { types, _ in (try? LinearShape.forward(types).flops) ?? 0 },
    infer: { types in
      let shape = try LinearShape.forward(types)
      let epilogue = try Epilogue.of(types.attributes)
      try epilogue.check(types, base: 2, type: shape.output)
      return [shape.output] + epilogue.extraResults(shape.output)
    },
    reference: { call in
      let shape = try LinearShape.forward(call.types)
      var y = [Double](repeating: 0, count: shape.output.count)
      shape.forEachProduct { y[$0] += call[0][$1] * call[1][$2] }
      return try Epilogue.of(call.attributes).apply(y, call, base: 2)
    },
    gradient: { context in
      let dy = try context.dy()
      return [
        try context.ifWanted(0) {
          try context.builder.emitOne("linear_input_grad", [dy, context.operand(1)])
        },
        try context.ifWanted(1) {
          try context.builder.emitOne("linear_weight_grad", [context.operand(0), dy])
        },
      ]
    })

  private static let linearInputGrad = OpDef(
    "linear_input_grad", attributes: [Epilogue.spec], fusion: .outFusable,
    samples: [OpSample([.f32(3, 4), .f32(4, 5)]), OpSample([.f32(2, 10), .f32(10, 33)])],
    flops: { types, _ in (try? LinearShape.inputGradient(types).flops) ?? 0 },
    infer: { types in
      let shape = try LinearShape.inputGradient(types)
      let epilogue = try Epilogue.of(types.attributes)
      try epilogue.check(types, base: 2, type: shape.input)
      return [shape.input] + epilogue.extraResults(shape.input)
    },
    reference: { call in
      let shape = try LinearShape.inputGradient(call.types)
      var dx = [Double](repeating: 0, count: shape.input.count)
      shape.forEachProduct { dx[$1] += call[0][$0] * call[1][$2] }
      return try Epilogue.of(call.attributes).apply(dx, call, base: 2)
    })

  private static let linearWeightGrad = OpDef(
    "linear_weight_grad", fusion: .reduction,
    samples: [OpSample([.f32(3, 5), .f32(3, 4)]), OpSample([.f32(5, 33), .f32(5, 10)])],
    flops: { types, _ in (try? LinearShape.weightGradient(types).flops) ?? 0 },
    infer: { types in [try LinearShape.weightGradient(types).weights] },
    reference: { call in
      let shape = try LinearShape.weightGradient(call.types)
      var dw = [Double](repeating: 0, count: shape.weights.count)
      shape.forEachProduct { dw[$2] += call[0][$1] * call[1][$0] }
      return [dw]
    })
}
