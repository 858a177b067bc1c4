import IR
import Kernels

/// A convolution or linear layer as the gather kernel sees it.
struct Gather {
  var images, inPixels, outPixels: Int
  var channels: GatheredChannels
  var tables: ConvolutionTables

  /// Output channels of all calls.
  var outChannels: Int { channels.out * channels.calls }

  var kernel: String { channels.isDepthwise ? "conv_depthwise" : "conv_gather" }
}

/// Extents of the filters for packing, of each of `calls` groups.
private struct Filters {
  var out, `in`, taps: Int
  var calls = 1
  var transpose: Bool
}

extension LoweringRules {
  static let convolution: [String: LoweringRule] = [
    "conv2d": { lowering in
      let shape = try ConvolutionShape.forward(lowering.types)
      switch try ConvolutionAlgorithm.of(lowering.attributes) {
      case .direct: try gather(lowering, forward(shape), filters(shape, transpose: false))
      case let algorithm: try winograd(lowering, .forward(shape, algorithm))
      }
    },
    "conv2d_input_grad": { lowering in
      let shape = try ConvolutionShape.inputGradient(lowering.types)
      switch try ConvolutionAlgorithm.of(lowering.attributes) {
      case .direct: try gather(lowering, inputGradient(shape), filters(shape, transpose: true))
      case let algorithm: try winograd(lowering, .inputGradient(shape, algorithm))
      }
    },
    "conv2d_weight_grad": { lowering in
      let shape = try ConvolutionShape.weightGradient(lowering.types)
      switch try ConvolutionAlgorithm.of(lowering.attributes) {
      case .direct: weightGradient(lowering, forward(shape), taps: shape.kernelTaps)
      case .winograd, .winograd2x2: winogradWeightGradient(lowering, shape)
      }
    },
    "linear": { lowering in
      let shape = try LinearShape.forward(lowering.types)
      try gather(
        lowering, linear(shape.images, shape.inFeatures, shape.outFeatures),
        Filters(out: shape.outFeatures, in: shape.inFeatures, taps: 1, transpose: false))
    },
    "linear_input_grad": { lowering in
      let shape = try LinearShape.inputGradient(lowering.types)
      try gather(
        lowering, linear(shape.images, shape.outFeatures, shape.inFeatures),
        Filters(out: shape.outFeatures, in: shape.inFeatures, taps: 1, transpose: true))
    },
    "linear_weight_grad": { lowering in
      let shape = try LinearShape.weightGradient(lowering.types)
      weightGradient(
        lowering, linear(shape.images, shape.inFeatures, shape.outFeatures), taps: 1)
    },
    "pack_filters": { lowering in
      let target = OperandReference.value(lowering.node.results[0])
      let source = lowering.operand(0, sliced: false)
      if let filters = try winogradFilters(lowering.node, lowering.operandTypes[0]) {
        pack(lowering, filters, source: source, target: target)
      } else {
        let (tables, filters) = try packing(lowering.node, lowering.operandTypes[0])
        pack(lowering, filters, tables, source: source, target: target)
      }
    },
  ]

  /// Bytes of the result of `pack_filters`.
  static func packedBytes(_ node: Node, _ type: TensorType) throws -> Int {
    if let filters = try winogradFilters(node, type) { return filters.packedBytes }
    let (tables, filters) = try packing(node, type)
    return tables.packedBytes * filters.calls
  }

  private static func filters(_ shape: ConvolutionShape, transpose: Bool) -> Filters {
    filters(shape.gathered, taps: shape.kernelTaps, transpose: transpose)
  }

  /// A depthwise convolution reads the same layout forward and backward.
  private static func filters(
    _ channels: GatheredChannels, taps: Int, transpose: Bool
  ) -> Filters {
    Filters(
      out: channels.out, in: channels.in, taps: taps, calls: channels.calls,
      transpose: transpose && !channels.isDepthwise)
  }

  private static func forward(_ shape: ConvolutionShape) -> Gather {
    Gather(
      images: shape.images, inPixels: shape.inHeight * shape.inWidth,
      outPixels: shape.outHeight * shape.outWidth, channels: shape.gathered,
      tables: .forward(shape))
  }

  private static func inputGradient(_ shape: ConvolutionShape) -> Gather {
    Gather(
      images: shape.images, inPixels: shape.outHeight * shape.outWidth,
      outPixels: shape.inHeight * shape.inWidth, channels: shape.gathered.transposed,
      tables: .inputGradient(shape))
  }

  private static func linear(_ images: Int, _ inputs: Int, _ outputs: Int) -> Gather {
    Gather(
      images: images, inPixels: 1, outPixels: 1,
      channels: GatheredChannels(in: inputs, out: outputs, calls: 1),
      tables: .linear(inFeatures: inputs, outFeatures: outputs))
  }

  private static func packing(
    _ node: Node, _ type: TensorType
  ) throws -> (tables: ConvolutionTables, filters: Filters) {
    let transpose = node.attributes.bool("transpose")
    let (out, inputs) = (type.shape[0], type.shape[1])
    guard type.rank == 4 else {
      return (
        transpose
          ? .linear(inFeatures: out, outFeatures: inputs)
          : .linear(inFeatures: inputs, outFeatures: out),
        Filters(out: out, in: inputs, taps: 1, transpose: transpose)
      )
    }
    let taps = type.shape[2] * type.shape[3]
    let groups = node.attributes.int("groups")
    guard transpose else {
      let phase = ConvolutionTables.Phase(out: [], taps: Array(0..<Int32(taps)), input: [])
      let isDepthwise = groups > 1 && groups == out && inputs == 1
      let filters = Filters(
        out: isDepthwise ? out : out / groups, in: inputs, taps: taps,
        calls: isDepthwise ? 1 : groups, transpose: false)
      return (ConvolutionTables([phase], inChannels: inputs, outChannels: filters.out), filters)
    }
    let input = node.attributes.ints("input")
    guard input.count == 2 else { throw IRError("pack_filters: 'input' must be [height, width]") }
    let shape = try ConvolutionShape(
      input: .f32(1, input[0], input[1], inputs * groups), filters: TensorType(.f32, type.shape),
      types: OpTypes(operands: [], attributes: node.attributes))
    return (.inputGradient(shape), filters(shape, transpose: true))
  }

  private static func pack(
    _ lowering: NodeLowering, _ filters: Filters, _ tables: ConvolutionTables,
    source: CallOperand, target: OperandReference
  ) {
    for group in 0..<filters.calls {
      let weights = group * filters.out * filters.in * filters.taps
      let packed = group * tables.packedBytes / 4
      lowering.call(
        "conv_pack", units: tables.packUnits, main: false,
        [source, .write(target, sliced: false)]
      ) { at in
        ArgumentBlock(
          clat_conv_pack_args(
            out_channels: Int32(filters.out), in_channels: Int32(filters.in),
            kernel_taps: Int32(filters.taps), transpose: filters.transpose ? 1 : 0,
            phases: Int32(tables.phaseCount), phase: at.table(tables.phases),
            weights: at.f32(0, from: weights), packed: at.f32(1, from: packed)))
      }
    }
  }

  /// The gather with its epilogue; packs the filters first where they are not packed yet.
  private static func gather(
    _ lowering: NodeLowering, _ gather: Gather, _ filters: Filters
  ) throws {
    var packed = lowering.operand(1, sliced: false)
    if lowering.operandTypes[1].dtype == .f32 {
      let target = lowering.temporary(bytes: gather.tables.packedBytes * filters.calls)
      pack(lowering, filters, gather.tables, source: packed, target: target)
      packed = .read(target, sliced: false)
    }
    if gather.channels.calls > 1 { return try groupedGather(lowering, gather, packed) }
    let epilogue = try ConvolutionEpilogue(lowering, channels: gather.outChannels, base: 2)
    lowering.call(
      gather.kernel, units: gather.images,
      [lowering.operand(0).strided, packed] + epilogue.operands
    ) { at in
      ArgumentBlock(
        clat_conv_args(
          images: Int32(gather.images), in_pixels: Int32(gather.inPixels),
          out_pixels: Int32(gather.outPixels), in_channels: Int32(gather.channels.in),
          x_stride: at.stride(0), phases: Int32(gather.tables.phaseCount),
          phase: at.table(gather.tables.phases), x: at.f32(0), packed: at.f32(1),
          out: epilogue.argument(at)))
    }
  }
}
