import IR
import Kernels

extension LoweringRules {
  static let rearrangement: [String: LoweringRule] = [
    "concat": { lowering in
      var start = 0
      for (index, type) in lowering.operandTypes.enumerated() {
        copyChannels(
          lowering, operand: index, from: (0, type.channels),
          to: (start, lowering.resultTypes[0].channels), count: type.channels)
        start += type.channels
      }
    },
    "slice_channels": { lowering in
      copyChannels(
        lowering, operand: 0,
        from: (lowering.attributes.int("start"), lowering.operandTypes[0].channels),
        to: (0, lowering.resultTypes[0].channels), count: lowering.attributes.int("count"))
    },
    "subsample_pad": { lowering in
      subsample(lowering, "subsample_pad", input: lowering.operandTypes[0])
    },
    "subsample_pad_grad": { lowering in
      subsample(lowering, "subsample_pad_grad", input: lowering.resultTypes[0])
    },
    "flatten": { flatten($0, map: $0.operandTypes[0], backward: false) },
    "flatten_grad": { flatten($0, map: $0.resultTypes[0], backward: true) },
  ]

  /// Copies channels between tensors of equal pixels; `from` and `to` are (first channel, channels
  /// of the tensor).
  private static func copyChannels(
    _ lowering: NodeLowering, operand: Int, from: (start: Int, channels: Int),
    to: (start: Int, channels: Int), count: Int
  ) {
    let extents = Extents(lowering.operandTypes[operand])
    lowering.call(
      "affine", units: Int(extents.images), [lowering.operand(operand), lowering.result(0)]
    ) { at in
      ArgumentBlock(
        clat_affine_args(
          images: extents.images, pixels: extents.pixels, channels: Int32(count),
          x_stride: Int32(from.channels), y_stride: Int32(to.channels),
          residual_stride: Int32(to.channels), x_scale: 1, residual_scale: 1,
          x: at.f32(0)?.advanced(by: from.start), scale: nil, shift: nil, residual: nil,
          y: at.f32(1)?.advanced(by: to.start), relu: 0, relu_bits: nil, mask_bits: nil))
    }
  }

  private static func subsample(_ lowering: NodeLowering, _ kernel: String, input: TensorType) {
    let attributes = lowering.attributes
    let (before, after) = (attributes.int("before"), attributes.int("after"))
    let channels = Int32(input.channels)
    lowering.call(kernel, units: input.shape[0], [lowering.operand(0), lowering.result(0)]) { at in
      ArgumentBlock(
        clat_subsample_pad_args(
          images: Int32(input.shape[0]), in_height: Int32(input.shape[1]),
          in_width: Int32(input.shape[2]), channels: channels,
          stride: Int32(attributes.int("stride")), before: Int32(before), after: Int32(after),
          x_stride: channels, y_stride: channels + Int32(before + after),
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
