/// What of a convolution is computed.
public enum ConvolutionUse: Sendable {
  case forward, inputGradient, weightGradient
}

/// How a convolution, its input gradient or its weight gradient is computed.
public enum ConvolutionAlgorithm: String, Sendable, CaseIterable {
  /// An implicit matrix product over taps and channels.
  case direct
  /// Winograd's F(4x4, 3x3) (Lavin and Gray 2016): 36 products for a tile of 16 outputs instead of
  /// 144; with stride 2 in its polyphase form 81.
  case winograd

  /// The attribute of the convolution operations and of `pack_filters`.
  static let attribute = AttributeSpec("algorithm", .string, default: .string(direct.rawValue))

  /// What an operation's attributes say.
  ///
  /// - Throws: IRError for a name that is none.
  public static func of(_ attributes: Attributes) throws -> ConvolutionAlgorithm {
    let name = attributes.string("algorithm")
    guard let algorithm = ConvolutionAlgorithm(rawValue: name.isEmpty ? "direct" : name) else {
      let known = allCases.map(\.rawValue).joined(separator: ", ")
      throw IRError("attribute 'algorithm' must be one of \(known), is '\(name)'")
    }
    return algorithm
  }

  /// Whether the algorithm can compute this use of a convolution of this shape at all.
  public func supports(_ shape: ConvolutionShape, _ use: ConvolutionUse) -> Bool {
    switch self {
    case .direct: true
    case .winograd:
      shape.kernelHeight == 3 && shape.kernelWidth == 3 && shape.strideHeight == shape.strideWidth
        && shape.strideHeight <= (use == .weightGradient ? 1 : 2)
        && shape.padHeight <= 2 && shape.padWidth <= 2
        && max(shape.inChannels, shape.outChannels) <= 4096
    }
  }

  /// Products of a tile of 4x4 outputs and a pair of channels.
  static func products(stride: Int) -> Int { stride == 1 ? 36 : 81 }

  /// Relative cost of an image: multiply-adds, with those of transforms weighted by what they took
  /// beside the products when measured (decisions 0004 and 0006).
  func cost(_ shape: ConvolutionShape) -> Double {
    let pairs = Double(shape.inChannels * shape.outChannels)
    switch self {
    case .direct:
      return Double(shape.outHeight * shape.outWidth * shape.kernelTaps) * pairs
    case .winograd:
      let tiles = Double((shape.outHeight + 3) / 4 * ((shape.outWidth + 3) / 4))
      // Transforms work on whole vectors of sixteen channels.
      let vectors = Double((shape.inChannels + 15) / 16 + (shape.outChannels + 15) / 16)
      let products = ConvolutionAlgorithm.products(stride: shape.strideHeight)
      return tiles
        * (Double(products) * pairs + (shape.strideHeight == 1 ? 5000 : 12000) * vectors)
    }
  }
}

/// Where the transforms of the filters that a Winograd convolution reads come from.
public enum FilterTransforms: String, Sendable, CaseIterable {
  /// A value of stage `weights`, four times as large as 3x3 filters and computed once for all that
  /// use it.
  case stored
  /// The kernel makes them of the plain filters, a part at a time and for a block of tiles, and
  /// keeps none. Results have the same bits.
  case transient

  /// The attribute of convolutions and their input gradients.
  static let attribute = AttributeSpec("filters", .string, default: .string(stored.rawValue))

  /// What an operation's attributes say.
  ///
  /// - Throws: IRError for a name that is none.
  public static func of(_ attributes: Attributes) throws -> FilterTransforms {
    let name = attributes.string("filters")
    guard let transforms = FilterTransforms(rawValue: name.isEmpty ? "stored" : name) else {
      let known = allCases.map(\.rawValue).joined(separator: ", ")
      throw IRError("attribute 'filters' must be one of \(known), is '\(name)'")
    }
    return transforms
  }

  /// Transient where a thread has the tiles to pay for the transforms, and stored ones would not
  /// stay in its cache (decision 0008).
  static func choose(_ shape: ConvolutionShape, threads: Int) -> FilterTransforms {
    let tiles = shape.images * ((shape.outHeight + 3) / 4) * ((shape.outWidth + 3) / 4)
    let bytes = 36 * 4 * shape.inChannels * shape.outChannels
    return bytes > 4 << 20 && tiles >= 32 * threads ? .transient : .stored
  }
}

/// What the user wants of the choice: the cheapest algorithm, or one wherever it can serve.
public enum ConvolutionPolicy: String, Sendable, CaseIterable {
  case auto, direct, winograd

  /// The algorithm for a shape and use.
  public func choose(_ shape: ConvolutionShape, _ use: ConvolutionUse) -> ConvolutionAlgorithm {
    switch self {
    case .direct: .direct
    case .winograd: ConvolutionAlgorithm.winograd.supports(shape, use) ? .winograd : .direct
    case .auto:
      ConvolutionAlgorithm.allCases.filter { $0.supports(shape, use) }
        .min { $0.cost(shape) < $1.cost(shape) } ?? .direct
    }
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
