import IR
import Kernels

/// A convolution with 3x3 filters, or its input gradient, as the Winograd kernels see it.
struct WinogradConvolution {
  var kernel: String
  var images, inHeight, inWidth, outHeight, outWidth, padHeight, padWidth: Int
  var filters: WinogradFilters
  /// Outputs of a tile in each direction.
  var tileSide: Int
  /// Operations of the products alone.
  var executedFlops: Double

  /// Whether threads divide output channels instead of images, and with them the work of
  /// transforming filters on the way: where one block of the kernels holds the tiles of all images
  /// (decision 0012).
  var dividesChannels: Bool {
    let (down, across) = (outHeight + tileSide - 1, outWidth + tileSide - 1)
    return images * (down / tileSide) * (across / tileSide) <= 64
  }

  static func forward(
    _ shape: ConvolutionShape, _ algorithm: ConvolutionAlgorithm
  ) -> WinogradConvolution {
    let filters = WinogradFilters(shape, algorithm, transpose: false)
    return WinogradConvolution(
      kernel: filters.kernel, images: shape.images,
      inHeight: shape.inHeight, inWidth: shape.inWidth, outHeight: shape.outHeight,
      outWidth: shape.outWidth, padHeight: shape.padHeight, padWidth: shape.padWidth,
      filters: filters, tileSide: algorithm.tileSide, executedFlops: products(shape, algorithm))
  }

  /// With stride 1 a convolution with the flipped, transposed filters; with stride 2 a kernel of
  /// its own.
  static func inputGradient(
    _ shape: ConvolutionShape, _ algorithm: ConvolutionAlgorithm
  ) -> WinogradConvolution {
    let isStrided = shape.strideHeight > 1
    let filters = WinogradFilters(shape, algorithm, transpose: true)
    return WinogradConvolution(
      kernel: filters.kernel + (isStrided ? "_grad" : ""), images: shape.images,
      inHeight: shape.outHeight, inWidth: shape.outWidth, outHeight: shape.inHeight,
      outWidth: shape.inWidth, padHeight: isStrided ? shape.padHeight : 2 - shape.padHeight,
      padWidth: isStrided ? shape.padWidth : 2 - shape.padWidth,
      filters: filters, tileSide: algorithm.tileSide * shape.strideHeight,
      executedFlops: products(shape, algorithm))
  }

  /// Two operations for each product of a pair of channels, over all tiles.
  static func products(_ shape: ConvolutionShape, _ algorithm: ConvolutionAlgorithm) -> Double {
    2 * Double(shape.images * algorithm.products(shape))
      * Double(shape.inChannels * shape.outChannels)
  }
}

/// Extents of filters OIHW and the algorithm and direction in which their transform is used.
struct WinogradFilters {
  var out, `in`: Int
  var stride: Int
  var algorithm: ConvolutionAlgorithm
  var transpose: Bool

  init(_ shape: ConvolutionShape, _ algorithm: ConvolutionAlgorithm, transpose: Bool) {
    self.init(
      out: shape.outChannels, in: shape.inChannels, stride: shape.strideHeight, algorithm,
      transpose: transpose)
  }

  init(
    out: Int, in inputs: Int, stride: Int, _ algorithm: ConvolutionAlgorithm, transpose: Bool
  ) {
    (self.out, `in`, self.stride, self.transpose) = (out, inputs, stride, transpose)
    self.algorithm = algorithm
  }

  /// The kernel of a convolution; the one that packs its filters is called after it.
  var kernel: String {
    algorithm == .winograd2x2 ? "winograd_2x2" : stride == 1 ? "winograd" : "winograd_strided"
  }
  /// Channels that a use sums over, and those it produces.
  var depth: Int { transpose ? out : `in` }
  var channels: Int { transpose ? `in` : out }
  var panels: Int { (channels + Int(CLAT_PANEL) - 1) / Int(CLAT_PANEL) }
  var packedBytes: Int { panels * algorithm.points * depth * Int(CLAT_PANEL) * 4 }
}

extension LoweringRules {
  /// What `pack_filters` transforms, or nil where its algorithm is another.
  static func winogradFilters(_ node: Node, _ type: TensorType) throws -> WinogradFilters? {
    let algorithm = try ConvolutionAlgorithm.of(node.attributes)
    guard algorithm != .direct else { return nil }
    return WinogradFilters(
      out: type.shape[0], in: type.shape[1], stride: node.attributes.ints("stride").first ?? 1,
      algorithm, transpose: node.attributes.bool("transpose"))
  }

  static func pack(
    _ lowering: NodeLowering, _ filters: WinogradFilters, source: CallOperand,
    target: OperandReference
  ) {
    lowering.call(
      "\(filters.kernel)_pack", units: filters.panels, main: false,
      [source, .write(target, sliced: false)]
    ) { at in
      ArgumentBlock(
        clat_winograd_pack_args(
          out_channels: Int32(filters.out), in_channels: Int32(filters.in),
          transpose: filters.transpose ? 1 : 0, weights: at.f32(0), packed: at.f32(1)))
    }
  }

  /// The convolution with its epilogue; transforms plain filters first, unless it does so itself.
  static func winograd(_ lowering: NodeLowering, _ convolution: WinogradConvolution) throws {
    let filters = convolution.filters
    let isTransient = try FilterTransforms.of(lowering.attributes) == .transient
    var operand = lowering.operand(1, sliced: false)
    if lowering.operandTypes[1].dtype == .f32 && !isTransient {
      let target = lowering.temporary(bytes: filters.packedBytes)
      pack(lowering, filters, source: operand, target: target)
      operand = .read(target, sliced: false)
    }
    let epilogue = try ConvolutionEpilogue(lowering, channels: filters.channels, base: 2)
    var operands = [lowering.operand(0).strided, operand] + epilogue.operands
    let scale = try FilterScale.of(lowering.attributes)
    let scaleIndex = scale == .none ? nil : operands.count
    if scale != .none {
      operands.append(lowering.operand(lowering.node.operands.count - 1, sliced: false))
    }
    let byChannels = isTransient && convolution.dividesChannels
    lowering.call(
      convolution.kernel, units: byChannels ? filters.panels : convolution.images,
      executing: convolution.executedFlops, byChannels ? operands.map(\.whole) : operands
    ) { at in
      ArgumentBlock(
        clat_winograd_args(
          images: Int32(convolution.images), in_height: Int32(convolution.inHeight),
          in_width: Int32(convolution.inWidth), out_height: Int32(convolution.outHeight),
          out_width: Int32(convolution.outWidth), in_channels: Int32(filters.depth),
          pad_height: Int32(convolution.padHeight), pad_width: Int32(convolution.padWidth),
          x_stride: at.stride(0), x: at.f32(0), packed: at.f32(isTransient ? nil : 1),
          weights: at.f32(isTransient ? 1 : nil), scale: at.f32(scaleIndex),
          scale_axis: Int32(scale.axis ?? 0), transpose: filters.transpose ? 1 : 0,
          by_channels: byChannels ? 1 : 0, out: epilogue.argument(at)))
    }
  }

  /// Sums at Winograd's points, back to filters: in one kernel, or as partial sums over ranges of images
  /// and their sum in a fixed order.
  static func winogradWeightGradient(_ lowering: NodeLowering, _ shape: ConvolutionShape) {
    let filters = WinogradFilters(shape, .winograd, transpose: false)
    let kernel = "\(filters.kernel)_weight_grad"
    let bytes = filters.packedBytes // the layout of the sums has as many floats
    let jobs = WinogradGradientJobs(shape, bytes: bytes)
    let partial = jobs.finishes ? nil : lowering.temporary(bytes: jobs.chunks * bytes)
    lowering.call(
      kernel, units: jobs.chunks * jobs.blocks,
      executing: WinogradConvolution.products(shape, .winograd),
      [
        lowering.operand(0, sliced: false).strided, lowering.operand(1, sliced: false).strided,
        partial.map { .write($0, sliced: false) } ?? lowering.result(0, sliced: false),
      ]
    ) { at in
      ArgumentBlock(
        clat_winograd_weight_grad_args(
          images: Int32(shape.images), in_height: Int32(shape.inHeight),
          in_width: Int32(shape.inWidth), out_height: Int32(shape.outHeight),
          out_width: Int32(shape.outWidth), in_channels: Int32(shape.inChannels),
          out_channels: Int32(shape.outChannels), pad_height: Int32(shape.padHeight),
          pad_width: Int32(shape.padWidth), x_stride: at.stride(0),
          dy_stride: at.stride(1), chunks: Int32(jobs.chunks),
          blocks: Int32(jobs.blocks), x: at.f32(0), dy: at.f32(1),
          partial: at.f32(jobs.finishes ? nil : 2), dw: at.f32(jobs.finishes ? 2 : nil)))
    }
    guard let partial else { return }
    lowering.call(
      "\(kernel)_reduce", units: shape.outChannels, main: false,
      [.read(partial, sliced: false), lowering.result(0, sliced: false)]
    ) { at in
      ArgumentBlock(
        clat_winograd_weight_grad_reduce_args(
          in_channels: Int32(shape.inChannels), out_channels: Int32(shape.outChannels),
          chunks: Int32(jobs.chunks), partial: at.f32(0), dw: at.f32(1)))
    }
  }
}

/// How a Winograd weight gradient is divided, by its shape alone, so that results do not depend on
/// the number of threads.
struct WinogradGradientJobs {
  /// Whether the sums of a range of input channels stay in scratch until they are filters again: where
  /// the transforms of all tiles have room beside them (decision 0015).
  var finishes: Bool
  /// Ranges of images with partial sums of their own.
  var chunks: Int
  /// Ranges of input channels, each of which transforms the gradient of the output again.
  var blocks: Int

  /// - Parameter bytes: of one chunk's partial sums.
  init(_ shape: ConvolutionShape, bytes: Int) {
    let wanted = 4
    let panels = (shape.inChannels + Int(CLAT_PANEL) - 1) / Int(CLAT_PANEL)
    finishes = shape.images * ConvolutionAlgorithm.winograd.products(shape) <= 256 * 36
    if finishes {
      let most = Int(CLAT_FINISHED_CHANNELS / CLAT_PANEL) * wanted
      (chunks, blocks) = (1, max(1, min(panels, (panels + most - 1) / most * wanted)))
    } else {
      let most = max(1, min(shape.images, wanted, (12 << 20) / max(bytes, 1)))
      chunks = most < 2 ? 1 : most < wanted ? 2 : wanted // no thread is left with more than others
      blocks = max(1, min(panels, wanted / chunks))
    }
  }
}
