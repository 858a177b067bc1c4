import IR
import Kernels

extension LoweringRules {
  static let elementwise: [String: LoweringRule] = [
    "add": { try affine($0, epilogue: .residual, base: 1) },
    "relu": { try affine($0, epilogue: .relu, base: 1) },
    "relu_bits": { try affine($0, epilogue: [.relu, .bits], base: 1) },
    "mask": { try affine($0, epilogue: .mask, base: 1) },
    "affine": { try affine($0, epilogue: [.scale, .shift], base: 1) },
    "channel_scale": { try affine($0, epilogue: .scale, base: 1) },
    "bias_add": { try affine($0, epilogue: .shift, base: 1) },
    "pointwise": { try affine($0, epilogue: Epilogue.of($0.attributes), base: 1) },
    "scale": { try affine($0, epilogue: [], base: 1, factor: $0.attributes.float("factor")) },
    "multiply": { product($0, kernel: "multiply") },
    "relu_grad": { product($0, kernel: "relu_grad") },
    "channel_sum": { channelSum($0, second: nil) },
    "channel_dot": { channelSum($0, second: 1) },
    "constant": { lowering in
      lowering.constant(result: 0, lowering.attributes.floats("values").map(Float.init))
    },
  ]

  /// One pass over x with an epilogue whose operands begin at `base`.
  static func affine(
    _ lowering: NodeLowering, epilogue: Epilogue, base: Int, factor: Double = 1
  ) throws {
    applyEpilogue(
      lowering, x: lowering.operand(0), epilogue: epilogue, base: base, factor: factor)
  }

  /// y = epilogue(x * factor), where scale and shift may be temporaries.
  static func applyEpilogue(
    _ lowering: NodeLowering, x: CallOperand, epilogue: Epilogue, base: Int, factor: Double = 1,
    scale: OperandReference? = nil, shift: OperandReference? = nil, main: Bool = true
  ) {
    let type = lowering.resultTypes[0]
    let byChannel = !epilogue.isDisjoint(with: [.scale, .shift, .bits, .mask])
    let extents = Extents(type, byChannel: byChannel)
    var operands = [x.strided, lowering.result(0).strided]
    func append(_ operand: CallOperand?) -> Int? {
      guard let operand else { return nil }
      operands.append(operand)
      return operands.count - 1
    }
    func part(_ part: Epilogue, sliced: Bool) -> CallOperand? {
      epilogue.operandIndex(part, base: base).map { lowering.operand($0, sliced: sliced) }
    }
    let scaleIndex = append(
      scale.map { .read($0, sliced: false) } ?? part(.scale, sliced: false))
    let shiftIndex = append(
      shift.map { .read($0, sliced: false) } ?? part(.shift, sliced: false))
    let residual = append(part(.residual, sliced: true)?.strided)
    if let operand = epilogue.operandIndex(.residual, base: base) {
      lowering.mayOverwrite(operand: operand, result: 0)
    }
    let mask = append(part(.mask, sliced: true))
    let bits = append(
      epilogue.contains(.bits) ? lowering.result(lowering.node.results.count - 1) : nil)
    lowering.call("affine", units: Int(extents.images), main: main, operands) { at in
      ArgumentBlock(
        clat_affine_args(
          images: extents.images, pixels: extents.pixels, channels: extents.channels,
          x_stride: x.isTemporary ? extents.channels : at.stride(0), y_stride: at.stride(1),
          residual_stride: at.stride(residual), x_scale: Float(factor), residual_scale: 1,
          x: at.f32(0), scale: at.f32(scaleIndex), shift: at.f32(shiftIndex),
          residual: at.f32(residual), y: at.f32(1), relu: epilogue.contains(.relu) ? 1 : 0,
          relu_bits: at.u8(bits), mask_bits: at.u8(mask)))
    }
  }

  private static func product(_ lowering: NodeLowering, kernel: String) {
    let extents = Extents(lowering.resultTypes[0])
    lowering.call(
      kernel, units: Int(extents.images),
      [lowering.operand(0).strided, lowering.operand(1).strided, lowering.result(0).strided]
    ) { at in
      ArgumentBlock(
        clat_multiply_args(
          images: extents.images, pixels: extents.pixels, channels: extents.channels,
          x_stride: at.stride(0), z_stride: at.stride(1), y_stride: at.stride(2),
          x: at.f32(0), z: at.f32(1), y: at.f32(2)))
    }
  }

  private static func channelSum(_ lowering: NodeLowering, second: Int?) {
    let extents = Extents(lowering.operandTypes[0])
    let partial = lowering.temporary(bytes: Int(extents.images * extents.channels) * 4)
    let operands =
      [lowering.operand(0).strided, .write(partial, sliced: true)]
      + (second.map { [lowering.operand($0).strided] } ?? [])
    lowering.call("channel_sum", units: Int(extents.images), operands) { at in
      ArgumentBlock(
        clat_channel_sum_args(
          images: extents.images, pixels: extents.pixels, channels: extents.channels,
          a_stride: at.stride(0), b_stride: at.stride(second == nil ? nil : 2), a: at.f32(0),
          b: at.f32(second == nil ? nil : 2), partial: at.f32(1)))
    }
    lowering.call(
      "channel_sum_finalize", units: Int(extents.channels), main: false,
      [.read(partial, sliced: false), lowering.result(0, sliced: false)]
    ) { at in
      ArgumentBlock(
        clat_channel_sum_finalize_args(
          images: extents.images, channels: extents.channels, partial: at.f32(0), y: at.f32(1)))
    }
  }
}
