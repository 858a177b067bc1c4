import IR
import Kernels

extension LoweringRules {
  /// The groups of a convolution one after the other, each on its own channels; then the epilogue
  /// on all of them, whose bits do not divide where channels do.
  static func groupedGather(
    _ lowering: NodeLowering, _ gather: Gather, _ packed: CallOperand
  ) throws {
    let epilogue = try Epilogue.of(lowering.attributes)
    let (channels, tables) = (gather.channels, gather.tables)
    let bytes = gather.images * gather.outPixels * gather.outChannels * 4
    let sums = epilogue.isEmpty ? nil : lowering.temporary(bytes: bytes)
    let target = sums.map { CallOperand.write($0, sliced: true) } ?? lowering.result(0).strided
    for group in 0..<channels.calls {
      lowering.call(
        "conv_gather", units: gather.images, share: 1 / Double(channels.calls),
        [lowering.operand(0).strided, packed, target]
      ) { at in
        let stride = sums == nil ? at.stride(2) : Int32(gather.outChannels)
        return ArgumentBlock(
          clat_conv_args(
            images: Int32(gather.images), in_pixels: Int32(gather.inPixels),
            out_pixels: Int32(gather.outPixels), in_channels: Int32(channels.in),
            x_stride: at.stride(0), phases: Int32(tables.phaseCount),
            phase: at.table(tables.phases), x: at.f32(0, from: group * channels.in),
            packed: at.f32(1, from: group * tables.packedBytes / 4),
            out: clat_epilogue(
              channels: Int32(channels.out), y_stride: stride, residual_stride: 0,
              y: at.f32(2, from: group * channels.out), bias: nil, residual: nil, relu: 0,
              relu_bits: nil, mask_bits: nil, residual_last: 0)))
      }
    }
    if let sums {
      applyEpilogue(
        lowering, x: .read(sums, sliced: true), epilogue: epilogue, base: 2, main: false)
    }
  }

  /// With the offsets of the forward pass: partial sums over ranges of images, then their sum in a
  /// fixed order; group by group.
  static func weightGradient(_ lowering: NodeLowering, _ gather: Gather, taps: Int) {
    let channels = gather.channels
    let rows = taps * channels.in
    let jobs = WeightGradientJobs(images: gather.images, rows: rows, outChannels: channels.out)
    for group in 0..<channels.calls {
      let partial = lowering.temporary(bytes: jobs.chunks * rows * channels.out * 4)
      let first = group * channels.in
      lowering.call(
        channels.isDepthwise ? "conv_depthwise_weight_grad" : "conv_weight_grad",
        units: jobs.chunks * jobs.blocks, share: 1 / Double(channels.calls),
        [
          lowering.operand(0, sliced: false).strided, lowering.operand(1, sliced: false).strided,
          .write(partial, sliced: false),
        ]
      ) { at in
        ArgumentBlock(
          clat_conv_weight_grad_args(
            images: Int32(gather.images), in_pixels: Int32(gather.inPixels),
            out_pixels: Int32(gather.outPixels), in_channels: Int32(channels.in),
            out_channels: Int32(channels.out), taps: Int32(taps), x_stride: at.stride(0),
            dy_stride: at.stride(1), chunks: Int32(jobs.chunks), blocks: Int32(jobs.blocks),
            in: at.table(gather.tables.input), x: at.f32(0, from: first),
            dy: at.f32(1, from: group * channels.out), partial: at.f32(2)))
      }
      lowering.call(
        "conv_weight_grad_reduce", units: channels.out, main: false,
        [.read(partial, sliced: false), lowering.result(0, sliced: false)]
      ) { at in
        ArgumentBlock(
          clat_conv_weight_grad_reduce_args(
            in_channels: Int32(channels.in), out_channels: Int32(channels.out),
            taps: Int32(taps), chunks: Int32(jobs.chunks), partial: at.f32(0),
            dw: at.f32(1, from: group * channels.out * rows)))
      }
    }
  }
}
