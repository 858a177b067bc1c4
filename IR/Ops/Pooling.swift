// Pooling over windows of NHWC activations.

/// The geometry of a pooling window.
public struct PoolingShape: Hashable, Sendable {
  public var images, inHeight, inWidth, outHeight, outWidth, channels: Int
  public var kernelHeight, kernelWidth, strideHeight, strideWidth, padHeight, padWidth: Int

  public var input: TensorType { .f32(images, inHeight, inWidth, channels) }
  public var output: TensorType { .f32(images, outHeight, outWidth, channels) }

  init(input: TensorType, _ types: OpTypes) throws {
    (kernelHeight, kernelWidth) = try types.pair("kernel")
    (strideHeight, strideWidth) = try types.pair("stride")
    let ((above, left), (below, right)) = try types.padding()
    (padHeight, padWidth) = (above, left)
    guard kernelHeight > 0, kernelWidth > 0, strideHeight > 0, strideWidth > 0 else {
      throw IRError("kernel and stride must be positive")
    }
    guard max(above, below) < kernelHeight, max(left, right) < kernelWidth else {
      throw IRError("pad must be less than the kernel")
    }
    (images, inHeight, inWidth, channels) =
      (input.shape[0], input.shape[1], input.shape[2], input.shape[3])
    let extraHeight = inHeight + above + below - kernelHeight
    let extraWidth = inWidth + left + right - kernelWidth
    guard extraHeight >= 0, extraWidth >= 0 else {
      throw IRError("the window is larger than the padded input \(input)")
    }
    outHeight = extraHeight / strideHeight + 1
    outWidth = extraWidth / strideWidth + 1
    guard (outHeight - 1) * strideHeight < inHeight + above,
      (outWidth - 1) * strideWidth < inWidth + left
    else { throw IRError("the last window sees padding alone") }
  }

  /// The shape of a pool of operand 0.
  public static func forward(_ types: OpTypes) throws -> PoolingShape {
    try types.expectCount(1)
    try types.expect(0, .f32, rank: 4)
    return try PoolingShape(input: types[0], types)
  }

  /// The shape behind the gradient `dy` in operand 0, whose attribute `input` is [height, width].
  public static func backward(_ types: OpTypes) throws -> PoolingShape {
    guard !types.operands.isEmpty else { throw IRError("expected an operand") }
    try types.expect(0, .f32, rank: 4)
    let (height, width) = try types.pair("input")
    let dy = types[0].shape
    let shape = try PoolingShape(input: .f32(dy[0], height, width, dy[3]), types)
    try types.expect(0, shape.output, "dy")
    return shape
  }

  /// What every output of a mean is divided by: the window's size, or without `countIncludePad` its
  /// pixels within the input.
  func divisors(countIncludePad: Bool) -> [Double] {
    let area = Double(kernelHeight * kernelWidth)
    var inside = [Double](repeating: 0, count: output.count)
    if countIncludePad { return inside.map { _ in area } }
    forEachElement { output, _, _ in inside[output] += 1 }
    return inside
  }

  /// Calls `body(output, input, pixel)` for every element of every window, in row order; pixel is
  /// the input's pixel within its image.
  func forEachElement(_ body: (_ output: Int, _ input: Int, _ pixel: Int) -> Void) {
    for n in 0..<images {
      for oh in 0..<outHeight {
        for ow in 0..<outWidth {
          for kh in 0..<kernelHeight {
            for kw in 0..<kernelWidth {
              let (ih, iw) = (oh * strideHeight - padHeight + kh, ow * strideWidth - padWidth + kw)
              guard (0..<inHeight).contains(ih), (0..<inWidth).contains(iw) else { continue }
              let pixel = ih * inWidth + iw
              for c in 0..<channels {
                body(
                  ((n * outHeight + oh) * outWidth + ow) * channels + c,
                  (n * inHeight * inWidth + pixel) * channels + c, pixel)
              }
            }
          }
        }
      }
    }
  }
}

private let window = [
  AttributeSpec("kernel", .ints), AttributeSpec("stride", .ints),
  AttributeSpec("pad", .ints, default: .ints([0, 0])),
]

private let averageWindow =
  window + [AttributeSpec("count_include_pad", .bool, default: .bool(true))]

private func inputAttributes(_ context: GradientContext) -> Attributes {
  let shape = context.type(context.operand(0)).shape
  return context.attributes.merging(["input": .ints([shape[1], shape[2]])])
}

extension OpRegistry {
  static let poolingOps: [OpDef] = [
    maxPool, maxPoolGrad, avgPool, avgPoolGrad, globalAvgPool, globalAvgPoolGrad,
  ]

  private static let overlapping: Attributes = [
    "kernel": .ints([3, 3]), "stride": .ints([2, 2]), "pad": .ints([1, 1]),
  ]

  /// y, and for every element the input pixel of the maximum (the first of equals, in row order).
  private static let maxPool = OpDef(
    "max_pool", attributes: window,
    samples: [
      OpSample(
        [.f32(2, 4, 6, 5)], ["kernel": .ints([2, 2]), "stride": .ints([2, 2])],
        differentiable: [0]),
      OpSample([.f32(2, 7, 5, 9)], overlapping, differentiable: [0]),
      OpSample(
        [.f32(2, 6, 5, 3)],
        ["kernel": .ints([3, 3]), "stride": .ints([2, 2]), "pad": .ints([0, 0, 1, 2])],
        differentiable: [0]),
    ],
    infer: { types in
      let output = try PoolingShape.forward(types).output
      return [output, TensorType(.i32, output.shape)]
    },
    reference: { call in
      let shape = try PoolingShape.forward(call.types)
      var y = [Double](repeating: -.infinity, count: shape.output.count)
      var index = [Double](repeating: 0, count: y.count)
      shape.forEachElement { output, input, pixel in
        if call[0][input] > y[output] {
          y[output] = call[0][input]
          index[output] = Double(pixel)
        }
      }
      return [y, index]
    },
    gradient: { context in
      [
        try context.builder.emitOne(
          "max_pool_grad", [context.dy(), context.result(1)], inputAttributes(context))
      ]
    })

  private static let maxPoolGrad = OpDef(
    "max_pool_grad", attributes: window + [AttributeSpec("input", .ints)],
    samples: [
      OpSample(
        [.f32(2, 1, 1, 5), .i32(2, 1, 1, 5)],
        ["kernel": .ints([2, 3]), "stride": .ints([2, 3]), "input": .ints([2, 3])],
        integerBound: 6)
    ],
    infer: { types in
      try types.expectCount(2)
      let shape = try PoolingShape.backward(types)
      try types.expect(1, TensorType(.i32, shape.output.shape), "index")
      return [shape.input]
    },
    reference: { call in
      let shape = try PoolingShape.backward(call.types)
      let (pixels, outputs) = (shape.inHeight * shape.inWidth, shape.outHeight * shape.outWidth)
      var dx = [Double](repeating: 0, count: shape.input.count)
      for (i, dy) in call[0].enumerated() {
        let (n, c) = (i / (outputs * shape.channels), i % shape.channels)
        guard (0..<Double(pixels)).contains(call[1][i]) else {
          throw IRError("pixel \(call[1][i]) is not one of \(pixels)")
        }
        dx[(n * pixels + Int(call[1][i])) * shape.channels + c] += dy
      }
      return [dx]
    })

  /// The mean over the window; padding counts as zero, or without PyTorch's `count_include_pad` not
  /// at all.
  private static let avgPool = OpDef(
    "avg_pool", attributes: averageWindow,
    samples: [
      OpSample(
        [.f32(2, 4, 6, 5)], ["kernel": .ints([2, 2]), "stride": .ints([2, 2])],
        differentiable: [0]),
      OpSample([.f32(2, 7, 5, 9)], overlapping, differentiable: [0]),
      OpSample(
        [.f32(2, 6, 5, 9)],
        [
          "kernel": .ints([3, 3]), "stride": .ints([2, 2]), "pad": .ints([1, 0, 2, 2]),
          "count_include_pad": .bool(false),
        ], differentiable: [0]),
    ],
    infer: { types in [try PoolingShape.forward(types).output] },
    reference: { call in
      let shape = try PoolingShape.forward(call.types)
      let divisors = shape.divisors(
        countIncludePad: call.attributes.bool("count_include_pad"))
      var y = [Double](repeating: 0, count: shape.output.count)
      shape.forEachElement { output, input, _ in y[output] += call[0][input] / divisors[output] }
      return [y]
    },
    gradient: { context in
      [
        try context.builder.emitOne(
          "avg_pool_grad", [context.dy()], inputAttributes(context))
      ]
    })

  private static let avgPoolGrad = OpDef(
    "avg_pool_grad", attributes: averageWindow + [AttributeSpec("input", .ints)],
    samples: [false, true].map { counts in
      OpSample(
        [.f32(2, 4, 3, 9)],
        overlapping.merging(["input": .ints([7, 5]), "count_include_pad": .bool(counts)]))
    },
    infer: { types in
      try types.expectCount(1)
      return [try PoolingShape.backward(types).input]
    },
    reference: { call in
      let shape = try PoolingShape.backward(call.types)
      let divisors = shape.divisors(
        countIncludePad: call.attributes.bool("count_include_pad"))
      var dx = [Double](repeating: 0, count: shape.input.count)
      shape.forEachElement { output, input, _ in dx[input] += call[0][output] / divisors[output] }
      return [dx]
    })

  /// [N, H, W, C] to [N, C]: the mean over all pixels.
  private static let globalAvgPool = OpDef(
    "global_avg_pool", samples: [OpSample([.f32(2, 3, 4, 5)], differentiable: [0])],
    infer: { types in
      try types.expectCount(1)
      try types.expect(0, .f32, rank: 4)
      return [.f32(types[0].shape[0], types[0].shape[3])]
    },
    reference: { call in
      let shape = call.types[0].shape
      let pixels = shape[1] * shape[2]
      var y = [Double](repeating: 0, count: shape[0] * shape[3])
      for (i, x) in call[0].enumerated() {
        y[i / (pixels * shape[3]) * shape[3] + i % shape[3]] += x / Double(pixels)
      }
      return [y]
    },
    gradient: { context in
      let shape = context.type(context.operand(0)).shape
      return [
        try context.builder.emitOne(
          "global_avg_pool_grad", [context.dy()], ["input": .ints([shape[1], shape[2]])])
      ]
    })

  private static let globalAvgPoolGrad = OpDef(
    "global_avg_pool_grad", attributes: [AttributeSpec("input", .ints)],
    samples: [OpSample([.f32(2, 5)], ["input": .ints([3, 4])])],
    infer: { types in
      try types.expectCount(1)
      try types.expect(0, .f32, rank: 2)
      let (height, width) = try types.pair("input")
      return [.f32(types[0].shape[0], height, width, types[0].shape[1])]
    },
    reference: { call in
      let shape = call.resultTypes[0].shape
      let pixels = shape[1] * shape[2]
      return [
        (0..<call.resultTypes[0].count).map { i in
          call[0][i / (pixels * shape[3]) * shape[3] + i % shape[3]] / Double(pixels)
        }
      ]
    })
}
