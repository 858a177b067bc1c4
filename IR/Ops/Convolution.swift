// Convolution of NHWC activations with OIHW filters, its input gradient and its weight gradient.

/// The geometry of a convolution: what the type rules, the reference and the kernels' offset tables
/// share.
public struct ConvolutionShape: Hashable, Sendable {
  public var images, inHeight, inWidth, inChannels: Int
  public var outHeight, outWidth, outChannels: Int
  /// Equal ranges of channels that do not see each other.
  public var groups: Int
  public var kernelHeight, kernelWidth: Int
  public var strideHeight, strideWidth: Int
  /// Rows above and columns to the left; those below and to the right show in the output's extents.
  public var padHeight, padWidth: Int

  public var kernelTaps: Int { kernelHeight * kernelWidth }
  public var input: TensorType { .f32(images, inHeight, inWidth, inChannels) }
  public var output: TensorType { .f32(images, outHeight, outWidth, outChannels) }
  public var filters: TensorType {
    .f32(outChannels, inChannels / groups, kernelHeight, kernelWidth)
  }
  /// Whether every output channel sees the input channel of its number alone.
  public var isDepthwise: Bool { groups > 1 && groups == inChannels && groups == outChannels }

  /// The rows below and columns to the right that the last outputs see, the more of them.
  var endPadding: Int {
    max(
      (outHeight - 1) * strideHeight + kernelHeight - inHeight - padHeight,
      (outWidth - 1) * strideWidth + kernelWidth - inWidth - padWidth)
  }

  /// Two operations a multiply-add; padding taps are counted.
  public var flops: Double {
    2 * Double(images * outHeight * outWidth * outChannels)
      * Double(inChannels / groups * kernelTaps)
  }

  /// The shape of a convolution of `input` with `filters`.
  ///
  /// - Throws: IRError where the extents do not fit.
  public init(input: TensorType, filters: TensorType, types: OpTypes) throws {
    guard input.rank == 4 else { throw IRError("the input must be NHWC, is \(input)") }
    guard filters.rank == 4 else { throw IRError("the filters must be OIHW, are \(filters)") }
    let (strideHeight, strideWidth) = try types.pair("stride")
    let ((padHeight, padWidth), (below, right)) = try types.padding()
    guard strideHeight > 0, strideWidth > 0 else { throw IRError("stride must be positive") }
    groups = try types.groups(of: filters.shape[0])
    guard filters.shape[1] * groups == input.shape[3] else {
      throw IRError(
        "the filters take \(filters.shape[1]) channels, the input has \(input.shape[3])"
          + (groups == 1 ? "" : " in \(groups) groups"))
    }
    let extraHeight = input.shape[1] + padHeight + below - filters.shape[2]
    let extraWidth = input.shape[2] + padWidth + right - filters.shape[3]
    guard extraHeight >= 0, extraWidth >= 0 else {
      throw IRError("the kernel of \(filters) is larger than the padded input \(input)")
    }
    images = input.shape[0]
    inHeight = input.shape[1]
    inWidth = input.shape[2]
    inChannels = input.shape[3]
    outHeight = extraHeight / strideHeight + 1
    outWidth = extraWidth / strideWidth + 1
    outChannels = filters.shape[0]
    kernelHeight = filters.shape[2]
    kernelWidth = filters.shape[3]
    self.strideHeight = strideHeight
    self.strideWidth = strideWidth
    self.padHeight = padHeight
    self.padWidth = padWidth
  }

  /// - Throws: IRError where the attribute `algorithm` cannot serve the use.
  private func checkAlgorithm(_ types: OpTypes, _ use: ConvolutionUse) throws {
    let algorithm = try ConvolutionAlgorithm.of(types.attributes)
    guard algorithm.supports(self, use) else {
      throw IRError("algorithm '\(algorithm.rawValue)' does not serve \(filters) with this stride")
    }
    let scale = try FilterScale.of(types.attributes)
    guard try FilterTransforms.of(types.attributes) == .transient else {
      guard scale == .none else { throw IRError("only transient filters have a scale") }
      return
    }
    guard algorithm != .direct, types[1].dtype == .f32 else {
      throw IRError("transient filters need Winograd and plain filters, not \(types[1])")
    }
    guard let axis = scale.axis else { return }
    let last = types.operands.count - 1
    guard last > 1 else { throw IRError("the scale of the filters is missing") }
    try types.expect(last, TensorType(.f32, [filters.shape[axis]]), "the scale of the filters")
  }

  /// The shape behind `conv2d(x, w)`.
  public static func forward(_ types: OpTypes) throws -> ConvolutionShape {
    try types.expect(0, .f32, rank: 4)
    try expectFilters(types, 1)
    let shape = try ConvolutionShape(input: types[0], filters: types[1], types: types)
    try shape.checkAlgorithm(types, .forward)
    return shape
  }

  /// The shape behind `conv2d_input_grad(dy, w)`, whose attribute `input` is [height, width].
  public static func inputGradient(_ types: OpTypes) throws -> ConvolutionShape {
    try types.expect(0, .f32, rank: 4)
    try expectFilters(types, 1)
    guard types[1].rank == 4 else { throw IRError("the filters must be OIHW, are \(types[1])") }
    let (height, width) = try types.pair("input")
    let channels = types[1].shape[1] * (try types.groups(of: types[1].shape[0]))
    let input = TensorType.f32(types[0].shape[0], height, width, channels)
    let shape = try ConvolutionShape(input: input, filters: types[1], types: types)
    try types.expect(0, shape.output, "dy")
    try shape.checkAlgorithm(types, .inputGradient)
    return shape
  }

  /// The shape behind `conv2d_weight_grad(x, dy)`, whose attribute `kernel` is [height, width].
  public static func weightGradient(_ types: OpTypes) throws -> ConvolutionShape {
    try types.expectCount(2)
    try types.expect(0, .f32, rank: 4)
    try types.expect(1, .f32, rank: 4)
    let (height, width) = try types.pair("kernel")
    let depth = types[0].shape[3] / (try types.groups(of: types[0].shape[3]))
    let filters = TensorType.f32(types[1].shape[3], depth, height, width)
    let shape = try ConvolutionShape(input: types[0], filters: filters, types: types)
    try types.expect(1, shape.output, "dy")
    try shape.checkAlgorithm(types, .weightGradient)
    return shape
  }

  private static func expectFilters(_ types: OpTypes, _ index: Int) throws {
    guard types.operands.count > index else {
      throw IRError("expected \(index + 1) operands or more, got \(types.operands.count)")
    }
    guard types[index].dtype == .f32 || types[index].dtype == .packed else {
      throw IRError("operand \(index) (filters) must be f32 or packed, is \(types[index])")
    }
  }

  /// The filters of a convolution or an input gradient with their scale (reference).
  fileprivate func scaledFilters(_ call: OpInvocation) throws -> [Double] {
    guard let axis = try FilterScale.of(call.attributes).axis else { return call[1] }
    return filters.scaled(call[1], by: call[call.types.operands.count - 1], axis: axis)
  }

  /// Calls `body(output, input, filter)` with the flat index of every multiplication's operands.
  func forEachProduct(_ body: (_ output: Int, _ input: Int, _ filter: Int) -> Void) {
    for n in 0..<images {
      for oh in 0..<outHeight {
        for ow in 0..<outWidth {
          let pixel = (n * outHeight + oh) * outWidth + ow
          for kh in 0..<kernelHeight {
            let ih = oh * strideHeight - padHeight + kh
            if ih < 0 || ih >= inHeight { continue }
            for kw in 0..<kernelWidth {
              let iw = ow * strideWidth - padWidth + kw
              if iw < 0 || iw >= inWidth { continue }
              let source = (n * inHeight + ih) * inWidth + iw
              let depth = inChannels / groups
              for o in 0..<outChannels {
                let first = o / (outChannels / groups) * depth
                for i in 0..<depth {
                  body(
                    pixel * outChannels + o, source * inChannels + first + i,
                    ((o * depth + i) * kernelHeight + kh) * kernelWidth + kw)
                }
              }
            }
          }
        }
      }
    }
  }
}

private let geometry = [
  AttributeSpec("stride", .ints, default: .ints([1, 1])),
  AttributeSpec("pad", .ints, default: .ints([0, 0])), OpTypes.groupsAttribute,
  ConvolutionAlgorithm.attribute,
]

extension OpTypes {
  static let groupsAttribute = AttributeSpec("groups", .int, default: .int(1))

  /// The groups of a convolution's channels, which `channels` divide into.
  func groups(of channels: Int) throws -> Int {
    let groups = attributes["groups"] == nil ? 1 : attributes.int("groups")
    guard (1...1 << 20).contains(groups), channels % groups == 0 else {
      throw IRError("\(channels) channels do not make \(groups) groups")
    }
    return groups
  }
}

extension OpRegistry {
  static let convolution: [OpDef] = [conv2d, conv2dInputGrad, conv2dWeightGrad]

  /// y[n, oh, ow, o] = sum over i, kh, kw of x[n, oh * s - p + kh, ow * s - p + kw, i] * w[o, i,
  /// kh, kw]; with `groups`, over the input channels i of o's group.
  private static let conv2d = OpDef(
    "conv2d", attributes: geometry + [FilterTransforms.attribute, FilterScale.attribute, Epilogue.spec],
    fusion: .outFusable,
    samples: [
      OpSample(
        [.f32(2, 5, 4, 3), .f32(5, 3, 3, 3)], ["pad": .ints([1, 1])], differentiable: [0, 1]),
      OpSample(
        [.f32(2, 7, 6, 17), .f32(18, 17, 3, 3)], ["pad": .ints([1, 1]), "stride": .ints([2, 2])],
        differentiable: [0, 1]),
      OpSample([.f32(3, 4, 4, 8), .f32(16, 8, 1, 1)], ["stride": .ints([2, 2])]),
      OpSample(
        [.f32(1, 6, 6, 2), .f32(3, 2, 5, 3)], ["pad": .ints([2, 0])], differentiable: [0, 1]),
      OpSample(
        [.f32(2, 4, 4, 8), .f32(9, 8, 3, 3), .f32(9), .f32(2, 4, 4, 9)],
        ["pad": .ints([1, 1]), "epilogue": .string("shift+residual+relu+bits")]),
      OpSample(
        [.f32(2, 6, 9, 17), .f32(18, 17, 3, 3)],
        ["pad": .ints([1, 0]), "algorithm": .string("winograd")]),
      OpSample(
        [.f32(2, 9, 6, 17), .f32(18, 17, 3, 3)],
        ["pad": .ints([1, 0]), "stride": .ints([2, 2]), "algorithm": .string("winograd")]),
      OpSample(
        [.f32(2, 6, 5, 3), .f32(5, 3, 3, 3)],
        ["pad": .ints([0, 0, 1, 2]), "stride": .ints([2, 2])], differentiable: [0, 1]),
      OpSample(
        [.f32(2, 6, 5, 17), .f32(18, 17, 3, 3)],
        ["pad": .ints([0, 2, 1, 1]), "algorithm": .string("winograd")]),
      OpSample(
        [.f32(2, 8, 8, 17), .f32(18, 17, 3, 3)],
        ["pad": .ints([0, 0, 1, 1]), "stride": .ints([2, 2]), "algorithm": .string("winograd")]),
      OpSample(
        [.f32(2, 5, 4, 6), .f32(9, 2, 3, 3)], ["pad": .ints([1, 1]), "groups": .int(3)],
        differentiable: [0, 1]),
      OpSample(
        [.f32(2, 5, 4, 5), .f32(5, 1, 3, 3)],
        ["pad": .ints([1, 1]), "stride": .ints([2, 1]), "groups": .int(5)], differentiable: [0, 1]),
      OpSample(
        [.f32(2, 4, 4, 10), .f32(18, 5, 3, 3), .f32(18), .f32(2, 4, 4, 18)],
        [
          "pad": .ints([1, 1]), "groups": .int(2),
          "epilogue": .string("shift+residual+relu+bits"),
        ]),
      OpSample(
        [.f32(3, 6, 5, 21), .f32(21, 1, 3, 3), .f32(21), .f32(3, 6, 5, 21)],
        [
          "pad": .ints([1, 1]), "groups": .int(21),
          "epilogue": .string("shift+residual+relu+bits"),
        ]),
      OpSample(
        [.f32(2, 6, 9, 17), .f32(18, 17, 3, 3)],
        [
          "pad": .ints([1, 0]), "algorithm": .string("winograd"),
          "filters": .string("transient"),
        ]),
      OpSample(
        [.f32(2, 6, 9, 17), .f32(18, 17, 3, 3), .f32(18), .f32(18)],
        [
          "pad": .ints([1, 1]), "algorithm": .string("winograd"), "filters": .string("transient"),
          "filter_scale": .string("outputs"), "epilogue": .string("shift+relu+bits"),
        ]),
      OpSample(
        [.f32(2, 9, 6, 17), .f32(18, 17, 3, 3), .f32(17)],
        [
          "pad": .ints([1, 1]), "stride": .ints([2, 2]), "algorithm": .string("winograd"),
          "filters": .string("transient"), "filter_scale": .string("inputs"),
        ]),
      OpSample(
        [.f32(3, 2, 3, 17), .f32(18, 17, 3, 3)],
        ["pad": .ints([1, 1]), "algorithm": .string("winograd2x2")]),
    ],
    flops: { types, _ in (try? ConvolutionShape.forward(types).flops) ?? 0 },
    infer: { types in
      let shape = try ConvolutionShape.forward(types)
      let epilogue = try Epilogue.of(types.attributes)
      let more = try FilterScale.of(types.attributes).operandCount
      try epilogue.check(types, base: 2, more: more, type: shape.output)
      return [shape.output] + epilogue.extraResults(shape.output)
    },
    reference: { call in
      let shape = try ConvolutionShape.forward(call.types)
      var y = [Double](repeating: 0, count: shape.output.count)
      let filters = try shape.scaledFilters(call)
      shape.forEachProduct { y[$0] += call[0][$1] * filters[$2] }
      return try Epilogue.of(call.attributes).apply(y, call, base: 2)
    },
    gradient: { context in
      guard try Epilogue.of(context.attributes).isEmpty,
        try FilterScale.of(context.attributes) == .none
      else { throw IRError("conv2d: differentiate before epilogues and scales are fused") }
      let (x, w) = (context.type(context.operand(0)), context.type(context.operand(1)))
      var attributes = context.attributes
      attributes["epilogue"] = nil
      attributes["filters"] = nil
      attributes["filter_scale"] = nil
      let dy = try context.dy()
      let dx = try context.ifWanted(0) {
        var attributes = attributes
        attributes["input"] = .ints([x.shape[1], x.shape[2]])
        return try context.builder.emitOne(
          "conv2d_input_grad", [dy, context.operand(1)], attributes)
      }
      let dw = try context.ifWanted(1) {
        var attributes = attributes
        attributes["kernel"] = .ints([w.shape[2], w.shape[3]])
        return try context.builder.emitOne(
          "conv2d_weight_grad", [context.operand(0), dy], attributes)
      }
      return [dx, dw]
    })

  /// dx of conv2d: every output gradient is scattered back through the filters.
  private static let conv2dInputGrad = OpDef(
    "conv2d_input_grad",
    attributes: geometry + [
      FilterTransforms.attribute, FilterScale.attribute, AttributeSpec("input", .ints),
      Epilogue.spec,
    ],
    fusion: .outFusable,
    samples: [
      OpSample(
        [.f32(2, 5, 4, 5), .f32(5, 3, 3, 3)], ["pad": .ints([1, 1]), "input": .ints([5, 4])]),
      OpSample(
        [.f32(2, 4, 3, 18), .f32(18, 17, 3, 3)],
        ["pad": .ints([1, 1]), "stride": .ints([2, 2]), "input": .ints([7, 6])]),
      OpSample(
        [.f32(2, 2, 2, 6), .f32(6, 4, 1, 1)], ["stride": .ints([2, 2]), "input": .ints([4, 3])]),
      OpSample(
        [
          .f32(2, 4, 4, 8), .f32(8, 16, 3, 3), .f32(2, 4, 4, 16), TensorType(.bits, [2, 4, 4, 16]),
        ],
        [
          "pad": .ints([1, 1]), "input": .ints([4, 4]), "epilogue": .string("residual+mask"),
        ]),
      OpSample(
        [.f32(2, 6, 7, 18), .f32(18, 17, 3, 3)],
        ["pad": .ints([1, 0]), "input": .ints([6, 9]), "algorithm": .string("winograd")]),
      OpSample(
        [.f32(2, 5, 3, 18), .f32(18, 17, 3, 3)],
        [
          "pad": .ints([1, 1]), "stride": .ints([2, 2]), "input": .ints([9, 6]),
          "algorithm": .string("winograd"),
        ]),
      OpSample(
        [.f32(2, 3, 3, 5), .f32(5, 3, 3, 3)],
        ["pad": .ints([0, 0, 1, 2]), "stride": .ints([2, 2]), "input": .ints([6, 5])]),
      OpSample(
        [.f32(2, 5, 6, 18), .f32(18, 17, 3, 3)],
        ["pad": .ints([0, 2, 1, 1]), "input": .ints([6, 5]), "algorithm": .string("winograd")]),
      OpSample(
        [.f32(2, 4, 4, 18), .f32(18, 17, 3, 3)],
        [
          "pad": .ints([0, 0, 1, 1]), "stride": .ints([2, 2]), "input": .ints([8, 8]),
          "algorithm": .string("winograd"),
        ]),
      OpSample(
        [.f32(2, 3, 2, 9), .f32(9, 2, 3, 3)],
        [
          "pad": .ints([1, 1]), "stride": .ints([2, 2]), "input": .ints([5, 4]), "groups": .int(3),
        ]),
      OpSample(
        [.f32(2, 3, 2, 21), .f32(21, 1, 3, 3)],
        [
          "pad": .ints([1, 1]), "stride": .ints([2, 2]), "input": .ints([5, 4]), "groups": .int(21),
        ]),
      OpSample(
        [.f32(2, 4, 4, 8), .f32(8, 8, 3, 3), .f32(2, 4, 4, 16), TensorType(.bits, [2, 4, 4, 16])],
        [
          "pad": .ints([1, 1]), "input": .ints([4, 4]), "groups": .int(2),
          "epilogue": .string("residual+mask"),
        ]),
      OpSample(
        [.f32(2, 5, 3, 18), .f32(18, 17, 3, 3)],
        [
          "pad": .ints([1, 1]), "stride": .ints([2, 2]), "input": .ints([9, 6]),
          "algorithm": .string("winograd"), "filters": .string("transient"),
        ]),
      OpSample(
        [.f32(3, 2, 3, 18), .f32(18, 17, 3, 3)],
        [
          "pad": .ints([1, 1]), "input": .ints([2, 3]), "algorithm": .string("winograd2x2"),
          "filters": .string("transient"),
        ]),
      OpSample(
        [.f32(3, 2, 3, 18), .f32(18, 17, 3, 3), .f32(3, 2, 3, 17), .f32(18)],
        [
          "pad": .ints([1, 1]), "input": .ints([2, 3]), "algorithm": .string("winograd2x2"),
          "filters": .string("transient"), "filter_scale": .string("outputs"),
          "epilogue": .string("residual"),
        ]),
      OpSample(
        [.f32(2, 5, 3, 18), .f32(18, 17, 3, 3), .f32(17)],
        [
          "pad": .ints([1, 1]), "stride": .ints([2, 2]), "input": .ints([9, 6]),
          "algorithm": .string("winograd"), "filters": .string("transient"),
          "filter_scale": .string("inputs"),
        ]),
    ],
    flops: { types, _ in (try? ConvolutionShape.inputGradient(types).flops) ?? 0 },
    infer: { types in
      let shape = try ConvolutionShape.inputGradient(types)
      let epilogue = try Epilogue.of(types.attributes)
      let more = try FilterScale.of(types.attributes).operandCount
      try epilogue.check(types, base: 2, more: more, type: shape.input)
      return [shape.input] + epilogue.extraResults(shape.input)
    },
    reference: { call in
      let shape = try ConvolutionShape.inputGradient(call.types)
      var dx = [Double](repeating: 0, count: shape.input.count)
      let filters = try shape.scaledFilters(call)
      shape.forEachProduct { dx[$1] += call[0][$0] * filters[$2] }
      return try Epilogue.of(call.attributes).apply(dx, call, base: 2)
    })

  /// dw of conv2d, in the filters' layout OIHW.
  private static let conv2dWeightGrad = OpDef(
    "conv2d_weight_grad", attributes: geometry + [AttributeSpec("kernel", .ints)],
    fusion: .reduction,
    samples: [
      OpSample(
        [.f32(2, 5, 4, 3), .f32(2, 5, 4, 5)], ["pad": .ints([1, 1]), "kernel": .ints([3, 3])]),
      OpSample(
        [.f32(3, 7, 6, 17), .f32(3, 4, 3, 18)],
        ["pad": .ints([1, 1]), "stride": .ints([2, 2]), "kernel": .ints([3, 3])]),
      OpSample(
        [.f32(3, 6, 9, 17), .f32(3, 6, 7, 18)],
        ["pad": .ints([1, 0]), "kernel": .ints([3, 3]), "algorithm": .string("winograd")]),
      OpSample(
        [.f32(3, 7, 12, 17), .f32(3, 4, 6, 18)],
        [
          "pad": .ints([1, 1]), "stride": .ints([2, 2]), "kernel": .ints([3, 3]),
          "algorithm": .string("winograd"),
        ]),
      OpSample(
        [.f32(2, 6, 5, 3), .f32(2, 3, 3, 5)],
        ["pad": .ints([0, 0, 1, 2]), "stride": .ints([2, 2]), "kernel": .ints([3, 3])]),
      OpSample(
        [.f32(2, 6, 5, 17), .f32(2, 5, 6, 18)],
        ["pad": .ints([0, 2, 1, 1]), "kernel": .ints([3, 3]), "algorithm": .string("winograd")]),
      OpSample(
        [.f32(2, 5, 4, 6), .f32(2, 5, 4, 9)],
        ["pad": .ints([1, 1]), "kernel": .ints([3, 3]), "groups": .int(3)]),
      OpSample(
        [.f32(3, 5, 4, 21), .f32(3, 3, 2, 21)],
        [
          "pad": .ints([1, 1]), "stride": .ints([2, 2]), "kernel": .ints([3, 3]),
          "groups": .int(21),
        ]),
    ],
    flops: { types, _ in (try? ConvolutionShape.weightGradient(types).flops) ?? 0 },
    infer: { types in [try ConvolutionShape.weightGradient(types).filters] },
    reference: { call in
      let shape = try ConvolutionShape.weightGradient(call.types)
      var dw = [Double](repeating: 0, count: shape.filters.count)
      shape.forEachProduct { dw[$2] += call[0][$1] * call[1][$0] }
      return [dw]
    })
}
