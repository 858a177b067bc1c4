import IR
import Kernels

extension LoweringRules {
  static let rearrangement: [String: LoweringRule] = [
    "concat": { lowering in
      var start = 0
      for (index, type) in lowering.operandTypes.enumerated() {
        copyChannels(
          lowering, operand: index, to: start, count: type.channels,
          move: ChannelMove(
            part: lowering.node.operands[index], whole: lowering.node.results[0], start: start))
        start += type.channels
      }
    },
    "slice_channels": { lowering in
      let start = lowering.attributes.int("start")
      copyChannels(
        lowering, operand: 0, from: start, count: lowering.attributes.int("count"),
        move: ChannelMove(
          part: lowering.node.results[0], whole: lowering.node.operands[0], start: start))
    },
    "subsample_pad": { lowering in
      subsample(lowering, "subsample_pad", input: lowering.operandTypes[0])
    },
    "subsample_pad_grad": { lowering in
      subsample(lowering, "subsample_pad_grad", input: lowering.resultTypes[0])
    },
    "after_loop": { $0.alias(result: 0, operand: 0) },
    "flatten": { flatten($0, map: $0.operandTypes[0], backward: false) },
    "flatten_grad": { flatten($0, map: $0.resultTypes[0], backward: true) },
  ]

  /// Copies `count` channels between tensors of equal pixels; `from` and `to` are the first ones.
  private static func copyChannels(
    _ lowering: NodeLowering, operand: Int, from: Int = 0, to: Int = 0, count: Int,
    move: ChannelMove
  ) {
    let extents = Extents(lowering.operandTypes[operand])
    lowering.call(
      "affine", units: Int(extents.images), move: move,
      [lowering.operand(operand).strided, lowering.result(0).strided]
    ) { at in
      ArgumentBlock(
        clat_affine_args(
          images: extents.images, pixels: extents.pixels, channels: Int32(count),
          x_stride: at.stride(0), y_stride: at.stride(1), residual_stride: 0, x_scale: 1,
          residual_scale: 1, x: at.f32(0, from: from), scale: nil, shift: nil,
          residual: nil, y: at.f32(1, from: to), relu: 0, relu_bits: nil, mask_bits: nil))
    }
  }

  private static func subsample(_ lowering: NodeLowering, _ kernel: String, input: TensorType) {
    let attributes = lowering.attributes
    let (before, after) = (attributes.int("before"), attributes.int("after"))
    let (small, large) = kernel.hasSuffix("_grad") ? (1, 0) : (0, 1)
    lowering.call(
      kernel, units: input.shape[0], [lowering.operand(0).strided, lowering.result(0).strided]
    ) { at in
      ArgumentBlock(
        clat_subsample_pad_args(
          images: Int32(input.shape[0]), in_height: Int32(input.shape[1]),
          in_width: Int32(input.shape[2]), channels: Int32(input.channels),
          stride: Int32(attributes.int("stride")), before: Int32(before), after: Int32(after),
          x_stride: at.stride(small), y_stride: at.stride(large),
          x: at.f32(0), y: at.f32(1)))
    }
  }

  private static func flatten(_ lowering: NodeLowering, map: TensorType, backward: Bool) {
    let extents = Extents(map)
    if extents.pixels == 1 {
      lowering.alias(result: 0, operand: 0)
      return
    }
    lowering.call(
      "flatten", units: Int(extents.images), [lowering.operand(0), lowering.result(0)]
    ) { at in
      ArgumentBlock(
        clat_flatten_args(
          images: extents.images, pixels: extents.pixels, channels: extents.channels,
          backward: backward ? 1 : 0, x: at.f32(0), y: at.f32(1)))
    }
  }
}
