/// What of a convolution is computed.
public enum ConvolutionUse: Sendable {
  case forward, inputGradient, weightGradient
}

/// How a convolution, its input gradient or its weight gradient is computed.
public enum ConvolutionAlgorithm: String, Sendable, AttributeChoice {
  /// An implicit matrix product over taps and channels.
  case direct
  /// Winograd's F(4x4, 3x3) (Lavin and Gray 2016): 36 products for a tile of 16 outputs instead of
  /// 144; with stride 2 in its polyphase form 81.
  case winograd
  /// Winograd's F(2x2, 3x3): 16 products for a tile of 4 outputs instead of 36; for small outputs.
  case winograd2x2

  /// The attribute of the convolution operations and of `pack_filters`.
  public static let attribute = AttributeSpec(
    "algorithm", .string, default: .string(direct.rawValue))

  /// Outputs of a tile in each direction, of Winograd's algorithms.
  public var tileSide: Int { self == .winograd2x2 ? 2 : 4 }

  /// Transforms of a filter, which are as many products of a pair of channels in a tile of stride 1.
  public var points: Int { (tileSide + 2) * (tileSide + 2) }

  /// Tiles of an image's outputs.
  func tiles(_ shape: ConvolutionShape) -> Int {
    (shape.outHeight + tileSide - 1) / tileSide * ((shape.outWidth + tileSide - 1) / tileSide)
  }

  /// Whether the algorithm can compute this use of a convolution of this shape at all.
  public func supports(_ shape: ConvolutionShape, _ use: ConvolutionUse) -> Bool {
    guard self != .direct else { return true }
    let isLarge = self == .winograd
    return shape.groups == 1 && shape.kernelHeight == 3 && shape.kernelWidth == 3
      && shape.strideHeight == shape.strideWidth
      && shape.strideHeight <= (isLarge ? 2 : 1)
      && (use != .weightGradient || isLarge)
      && shape.padHeight <= 2 && shape.padWidth <= 2 && shape.endPadding <= 2
      && max(shape.inChannels, shape.outChannels) <= 4096
  }

  /// Products of an image for a pair of channels.
  public func products(_ shape: ConvolutionShape) -> Int {
    guard self != .direct else { return shape.outHeight * shape.outWidth * shape.kernelTaps }
    return tiles(shape) * (shape.strideHeight == 1 ? points : 81)
  }

  /// Relative cost of an image: multiply-adds, with those of transforms weighted by what they took
  /// beside the products when measured (decisions 0004, 0006 and 0010).
  func cost(_ shape: ConvolutionShape) -> Double {
    let multiplications =
      Double(products(shape)) * Double(shape.inChannels / shape.groups * shape.outChannels)
    guard self != .direct else { return multiplications }
    // Transforms work on whole vectors of sixteen channels.
    let vectors = Double((shape.inChannels + 15) / 16 + (shape.outChannels + 15) / 16)
    let transform = self == .winograd2x2 ? 2000.0 : shape.strideHeight == 1 ? 5000 : 12000
    return multiplications + Double(tiles(shape)) * transform * vectors
  }
}

/// Where the transforms of the filters that a Winograd convolution reads come from.
public enum FilterTransforms: String, Sendable, AttributeChoice {
  /// A value of stage `weights`, four times as large as 3x3 filters and computed once for all that
  /// use it.
  case stored
  /// The kernel makes them of the plain filters, a part at a time and for a block of tiles, and
  /// keeps none. Results have the same bits.
  case transient

  /// The attribute of convolutions and their input gradients.
  public static let attribute = AttributeSpec(
    "filters", .string, default: .string(stored.rawValue))
}

/// Which channels of transient filters have a scale, one number each, that is multiplied in as they are
/// read: the last operand of the convolution.
public enum FilterScale: String, Sendable, AttributeChoice {
  case none
  case outputs
  case inputs

  /// The attribute of convolutions and their input gradients.
  public static let attribute = AttributeSpec(
    "filter_scale", .string, default: .string(none.rawValue))

  init(axis: Int) { self = axis == 0 ? .outputs : .inputs }

  /// Of the filters OIHW.
  public var axis: Int? { self == .none ? nil : self == .outputs ? 0 : 1 }
  var operandCount: Int { self == .none ? 0 : 1 }
}

/// What the user wants of the choice: the cheapest algorithm, or one wherever it can serve.
public enum ConvolutionPolicy: String, Sendable, CaseIterable {
  case auto, direct, winograd

  /// The algorithm for a shape and use.
  public func choose(_ shape: ConvolutionShape, _ use: ConvolutionUse) -> ConvolutionAlgorithm {
    let able = ConvolutionAlgorithm.allCases.filter { $0.supports(shape, use) }
    let wanted =
      switch self {
      case .direct: [ConvolutionAlgorithm.direct]
      case .winograd: able.filter { $0 != .direct }
      case .auto: able
      }
    return wanted.min { $0.cost(shape) < $1.cost(shape) } ?? .direct
  }

  /// The node with its algorithm chosen, where it is a convolution that names none but the default.
  ///
  /// - Throws: IRError where the operands do not fit the node.
  public func select(_ node: Node, _ types: [TensorType]) throws -> Node {
    guard try self == .direct || ConvolutionAlgorithm.of(node.attributes) == .direct else {
      return node
    }
    let types = OpTypes(operands: types, attributes: node.attributes)
    let algorithm: ConvolutionAlgorithm
    switch node.op {
    case "conv2d": algorithm = try choose(.forward(types), .forward)
    case "conv2d_input_grad": algorithm = try choose(.inputGradient(types), .inputGradient)
    case "conv2d_weight_grad": algorithm = try choose(.weightGradient(types), .weightGradient)
    default: return node
    }
    var node = node
    node.attributes["algorithm"] = .string(algorithm.rawValue)
    return node
  }
}
