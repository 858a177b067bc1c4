// Operations that move data: concatenation, slices, the option-A shortcut, flattening.

private func permutation(_ shape: [Int]) -> [Int] {
  let (images, pixels, channels) = (shape[0], shape[1] * shape[2], shape[3])
  var source = [Int]()
  source.reserveCapacity(images * pixels * channels)
  for n in 0..<images {
    for c in 0..<channels {
      for p in 0..<pixels { source.append((n * pixels + p) * channels + c) }
    }
  }
  return source
}

/// Calls `body(small, large)` with the flat indices of corresponding elements of the tensor without
/// and with padding.
private func forEachKept(
  _ input: [Int], stride: Int, before: Int, output: [Int], _ body: (Int, Int) -> Void
) {
  for n in 0..<output[0] {
    for h in 0..<output[1] {
      for w in 0..<output[2] {
        for c in 0..<input[3] {
          body(
            ((n * input[1] + h * stride) * input[2] + w * stride) * input[3] + c,
            ((n * output[1] + h) * output[2] + w) * output[3] + before + c)
        }
      }
    }
  }
}

extension OpRegistry {
  static let rearrangementOps: [OpDef] = [
    concat, sliceChannels, subsamplePad, subsamplePadGrad, flatten, flattenGrad,
  ]

  /// Concatenation along channels.
  private static let concat = OpDef(
    "concat",
    samples: [
      OpSample([.f32(2, 3, 3, 4), .f32(2, 3, 3, 5), .f32(2, 3, 3, 1)], differentiable: [0, 1, 2])
    ],
    infer: { types in
      guard let first = types.operands.first else { throw IRError("expected an operand") }
      for (index, type) in types.operands.enumerated() {
        try types.expect(index, .f32)
        guard type.rank == first.rank, type.shape.dropLast() == first.shape.dropLast() else {
          throw IRError("operand \(index) must be like operand 0 but for its channels, is \(type)")
        }
      }
      let channels = types.operands.reduce(0) { $0 + $1.channels }
      return [TensorType(.f32, first.shape.dropLast() + [channels])]
    },
    reference: { call in
      let rows = call.resultTypes[0].count / call.resultTypes[0].channels
      var y = [Double]()
      for row in 0..<rows {
        for (operand, type) in zip(call.inputs, call.types.operands) {
          y += operand[row * type.channels..<(row + 1) * type.channels]
        }
      }
      return [y]
    },
    gradient: { context in
      let dy = try context.dy()
      var start = 0
      return try context.wanted.indices.map { index in
        let channels = context.type(context.operand(index)).channels
        defer { start += channels }
        return try context.ifWanted(index) {
          try context.builder.emitOne(
            "slice_channels", [dy], ["start": .int(start), "count": .int(channels)])
        }
      }
    })

  private static let sliceChannels = OpDef(
    "slice_channels", attributes: [AttributeSpec("start", .int), AttributeSpec("count", .int)],
    samples: [
      OpSample(
        [.f32(2, 3, 3, 9)], ["start": .int(4), "count": .int(3)], differentiable: [0])
    ],
    infer: { types in
      try types.expectCount(1)
      try types.expect(0, .f32)
      let (start, count) = (types.attributes.int("start"), types.attributes.int("count"))
      guard start >= 0, count > 0, start + count <= types[0].channels else {
        throw IRError("channels \(start)..<\(start + count) of \(types[0].channels) do not exist")
      }
      return [TensorType(.f32, types[0].shape.dropLast() + [count])]
    },
    reference: { call in
      let (start, count) = (call.attributes.int("start"), call.attributes.int("count"))
      let channels = call.types[0].channels
      return [
        (0..<call.resultTypes[0].count).map {
          call[0][$0 / count * channels + start + $0 % count]
        }
      ]
    },
    gradient: { context in
      let (start, count) = (context.attributes.int("start"), context.attributes.int("count"))
      let after = context.type(context.operand(0)).channels - start - count
      return [
        try context.builder.emitOne(
          "subsample_pad", [context.dy()],
          ["stride": .int(1), "before": .int(start), "after": .int(after)])
      ]
    })

  private static let shortcut = [
    AttributeSpec("stride", .int), AttributeSpec("before", .int), AttributeSpec("after", .int),
  ]

  /// The option-A shortcut of He et al. 2015: every `stride`-th pixel, with zero channels before
  /// and after.
  private static let subsamplePad = OpDef(
    "subsample_pad", attributes: shortcut,
    samples: [
      OpSample(
        [.f32(2, 4, 5, 3)], ["stride": .int(2), "before": .int(1), "after": .int(2)],
        differentiable: [0])
    ],
    infer: { types in
      try types.expectCount(1)
      try types.expect(0, .f32, rank: 4)
      let (stride, before, after) = (
        types.attributes.int("stride"), types.attributes.int("before"),
        types.attributes.int("after")
      )
      guard stride > 0, before >= 0, after >= 0 else {
        throw IRError("stride must be positive, before and after not negative")
      }
      let shape = types[0].shape
      return [
        .f32(
          shape[0], (shape[1] + stride - 1) / stride, (shape[2] + stride - 1) / stride,
          before + shape[3] + after)
      ]
    },
    reference: { call in
      var y = [Double](repeating: 0, count: call.resultTypes[0].count)
      forEachKept(
        call.types[0].shape, stride: call.attributes.int("stride"),
        before: call.attributes.int("before"), output: call.resultTypes[0].shape
      ) { small, large in y[large] = call[0][small] }
      return [y]
    },
    gradient: { context in
      let shape = context.type(context.operand(0)).shape
      return [
        try context.builder.emitOne(
          "subsample_pad_grad", [context.dy()],
          context.attributes.merging(["input": .ints([shape[1], shape[2]])]))
      ]
    })

  private static let subsamplePadGrad = OpDef(
    "subsample_pad_grad", attributes: shortcut + [AttributeSpec("input", .ints)],
    samples: [
      OpSample(
        [.f32(2, 2, 3, 6)],
        ["stride": .int(2), "before": .int(1), "after": .int(2), "input": .ints([4, 5])])
    ],
    infer: { types in
      try types.expectCount(1)
      try types.expect(0, .f32, rank: 4)
      let (height, width) = try types.pair("input")
      let stride = types.attributes.int("stride")
      let channels =
        types[0].channels - types.attributes.int("before") - types.attributes.int("after")
      guard stride > 0, channels > 0, (height + stride - 1) / stride == types[0].shape[1],
        (width + stride - 1) / stride == types[0].shape[2]
      else { throw IRError("operand 0 does not fit an input of [\(height), \(width)]") }
      return [.f32(types[0].shape[0], height, width, channels)]
    },
    reference: { call in
      var dx = [Double](repeating: 0, count: call.resultTypes[0].count)
      forEachKept(
        call.resultTypes[0].shape, stride: call.attributes.int("stride"),
        before: call.attributes.int("before"), output: call.types[0].shape
      ) { small, large in dx[small] = call[0][large] }
      return [dx]
    })

  /// [N, H, W, C] to [N, C * H * W] in PyTorch's order (channel, row, column).
  private static let flatten = OpDef(
    "flatten",
    samples: [
      OpSample([.f32(2, 3, 4, 5)], differentiable: [0]), OpSample([.f32(2, 1, 1, 5)]),
    ],
    infer: { types in
      try types.expectCount(1)
      try types.expect(0, .f32, rank: 4)
      return [.f32(types[0].shape[0], types[0].shape.dropFirst().reduce(1, *))]
    },
    reference: { call in [permutation(call.types[0].shape).map { call[0][$0] }] },
    gradient: { context in
      let shape = context.type(context.operand(0)).shape
      return [
        try context.builder.emitOne(
          "flatten_grad", [context.dy()], ["input": .ints(Array(shape.dropFirst()))])
      ]
    })

  private static let flattenGrad = OpDef(
    "flatten_grad", attributes: [AttributeSpec("input", .ints)],
    samples: [OpSample([.f32(2, 60)], ["input": .ints([3, 4, 5])])],
    infer: { types in
      try types.expectCount(1)
      try types.expect(0, .f32, rank: 2)
      let input = types.attributes.ints("input")
      guard input.count == 3, input.allSatisfy({ (1...types[0].shape[1]).contains($0) }),
        Double(input[0]) * Double(input[1]) * Double(input[2]) == Double(types[0].shape[1])
      else { throw IRError("attribute 'input' must be [height, width, channels] of operand 0") }
      return [TensorType(.f32, [types[0].shape[0]] + input)]
    },
    reference: { call in
      var dx = [Double](repeating: 0, count: call[0].count)
      for (i, source) in permutation(call.resultTypes[0].shape).enumerated() {
        dx[source] = call[0][i]
      }
      return [dx]
    })
}
