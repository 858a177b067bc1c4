import IR
import Kernels

extension LoweringRules {
  static let normalization: [String: LoweringRule] = [
    "batch_norm": { lowering in
      switch BatchNormMode(rawValue: lowering.attributes.string("mode")) {
      case .train?: try trainingBatchNorm(lowering)
      default: try evaluationBatchNorm(lowering)
      }
    },
    "batch_norm_grad": batchNormGradient,
    "batch_norm_fold": { lowering in
      fold(
        lowering, parameters: 0, scale: .value(lowering.node.results[0]),
        shift: .value(lowering.node.results[1]))
    },
    "scale_filters": { lowering in
      let type = lowering.operandTypes[0]
      let filters = type.shape[0]
      let taps = lowering.attributes.int("axis") == 0 ? 0 : type.shape.dropFirst(2).reduce(1, *)
      lowering.call(
        "scale_filters", units: filters,
        [
          lowering.operand(0), lowering.operand(1, sliced: false), lowering.result(0),
        ]
      ) { at in
        ArgumentBlock(
          clat_scale_filters_args(
            filters: Int32(filters), elements: Int32(type.count / filters), taps: Int32(taps),
            w: at.f32(0), scale: at.f32(1), y: at.f32(2)))
      }
    },
  ]

  /// gamma, beta, mean, var at operands `parameters`... to scale and shift.
  private static func fold(
    _ lowering: NodeLowering, parameters: Int, scale: OperandReference, shift: OperandReference
  ) {
    let channels = lowering.operandTypes[parameters].count
    let eps = Float(lowering.attributes.float("eps"))
    lowering.call(
      "batch_norm_fold", units: channels, main: false,
      (parameters..<parameters + 4).map { lowering.operand($0, sliced: false) }
        + [.write(scale, sliced: false), .write(shift, sliced: false)]
    ) { at in
      ArgumentBlock(
        clat_batch_norm_fold_args(
          channels: Int32(channels), eps: eps, gamma: at.f32(0), beta: at.f32(1),
          mean: at.f32(2), var: at.f32(3), scale: at.f32(4), shift: at.f32(5)))
    }
  }

  private static func evaluationBatchNorm(_ lowering: NodeLowering) throws {
    let bytes = lowering.operandTypes[1].byteCount
    let (scale, shift) = (lowering.temporary(bytes: bytes), lowering.temporary(bytes: bytes))
    fold(lowering, parameters: 1, scale: scale, shift: shift)
    applyEpilogue(
      lowering, x: lowering.operand(0), epilogue: try Epilogue.of(lowering.attributes), base: 5,
      scale: scale, shift: shift)
  }

  private static func trainingBatchNorm(_ lowering: NodeLowering) throws {
    let extents = Extents(lowering.operandTypes[0])
    let vector = Int(extents.channels) * 4
    let partial = lowering.temporary(bytes: Int(extents.images) * 2 * vector)
    let (scale, shift) = (lowering.temporary(bytes: vector), lowering.temporary(bytes: vector))
    lowering.call(
      "batch_norm_stats", units: Int(extents.images),
      [lowering.operand(0).strided, .write(partial, sliced: true)]
    ) { at in
      ArgumentBlock(
        clat_batch_norm_stats_args(
          images: extents.images, pixels: extents.pixels, channels: extents.channels,
          x_stride: at.stride(0), x: at.f32(0), partial: at.f32(1)))
    }
    let (eps, momentum) = (
      Float(lowering.attributes.float("eps")), Float(lowering.attributes.float("momentum"))
    )
    let inputs =
      [.read(partial, sliced: false)] + (1...4).map { lowering.operand($0, sliced: false) }
    let outputs =
      (1...4).map { lowering.result($0, sliced: false) }
      + [.write(scale, sliced: false), .write(shift, sliced: false)]
    lowering.call(
      "batch_norm_finalize", units: Int(extents.channels), main: false, inputs + outputs
    ) { at in
      ArgumentBlock(
        clat_batch_norm_finalize_args(
          images: extents.images, pixels: extents.pixels, channels: extents.channels, eps: eps,
          momentum: momentum, partial: at.f32(0), gamma: at.f32(1), beta: at.f32(2),
          running_mean: at.f32(3), running_var: at.f32(4), mean: at.f32(5), invstd: at.f32(6),
          scale: at.f32(9), shift: at.f32(10), new_running_mean: at.f32(7),
          new_running_var: at.f32(8)))
    }
    applyEpilogue(
      lowering, x: lowering.operand(0), epilogue: try Epilogue.of(lowering.attributes), base: 5,
      scale: scale, shift: shift, main: false)
  }

  /// batch_norm_grad(dy, x, gamma, mean, invstd [, bits]) -> dx, dgamma, dbeta.
  @Sendable private static func batchNormGradient(_ lowering: NodeLowering) throws {
    let extents = Extents(lowering.operandTypes[0])
    let vector = Int(extents.channels) * 4
    let partial = lowering.temporary(bytes: Int(extents.images) * 2 * vector)
    let coefficients = (0..<3).map { _ in lowering.temporary(bytes: vector) }
    let masked = try Epilogue.of(lowering.attributes).contains(.mask)
    let bits = masked ? [lowering.operand(5)] : []
    lowering.call(
      "batch_norm_grad_stats", units: Int(extents.images),
      [
        lowering.operand(1).strided, lowering.operand(0).strided,
        lowering.operand(3, sliced: false),
        lowering.operand(4, sliced: false), .write(partial, sliced: true),
      ] + bits
    ) { at in
      ArgumentBlock(
        clat_batch_norm_grad_stats_args(
          images: extents.images, pixels: extents.pixels, channels: extents.channels,
          x_stride: at.stride(0), dy_stride: at.stride(1), x: at.f32(0), dy: at.f32(1),
          mean: at.f32(2), invstd: at.f32(3), mask_bits: at.u8(masked ? 5 : nil),
          partial: at.f32(4)))
    }
    lowering.call(
      "batch_norm_grad_finalize", units: Int(extents.channels), main: false,
      [.read(partial, sliced: false)] + (2...4).map { lowering.operand($0, sliced: false) }
        + [lowering.result(1, sliced: false), lowering.result(2, sliced: false)]
        + coefficients.map { .write($0, sliced: false) }
    ) { at in
      ArgumentBlock(
        clat_batch_norm_grad_finalize_args(
          images: extents.images, pixels: extents.pixels, channels: extents.channels,
          partial: at.f32(0), gamma: at.f32(1), mean: at.f32(2), invstd: at.f32(3),
          dgamma: at.f32(4), dbeta: at.f32(5), a: at.f32(6), b: at.f32(7), c: at.f32(8)))
    }
    lowering.call(
      "batch_norm_grad_apply", units: Int(extents.images), main: false,
      [lowering.operand(1).strided, lowering.operand(0).strided]
        + coefficients.map { .read($0, sliced: false) } + [lowering.result(0).strided] + bits
    ) { at in
      ArgumentBlock(
        clat_batch_norm_grad_apply_args(
          images: extents.images, pixels: extents.pixels, channels: extents.channels,
          x_stride: at.stride(0), dy_stride: at.stride(1), dx_stride: at.stride(5),
          x: at.f32(0), dy: at.f32(1), a: at.f32(2), b: at.f32(3), c: at.f32(4),
          mask_bits: at.u8(masked ? 6 : nil), dx: at.f32(5)))
    }
  }
}
