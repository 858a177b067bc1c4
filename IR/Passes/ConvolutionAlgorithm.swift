/// How a convolution, its input gradient or its weight gradient is computed.
public enum ConvolutionAlgorithm: String, Sendable, CaseIterable {
  /// An implicit matrix product over taps and channels.
  case direct
  /// Winograd's F(4x4, 3x3): 36 products for a tile of 16 outputs instead of 144 (Lavin and Gray 2016).
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

  /// Whether the algorithm can compute a convolution of this shape at all.
  public func supports(_ shape: ConvolutionShape) -> Bool {
    switch self {
    case .direct: true
    case .winograd:
      shape.kernelHeight == 3 && shape.kernelWidth == 3 && shape.strideHeight == 1
        && shape.strideWidth == 1 && shape.padHeight <= 2 && shape.padWidth <= 2
        && max(shape.inChannels, shape.outChannels) <= 4096
    }
  }

  /// Relative cost of an image: multiply-adds, with those of transforms weighted by what they took
  /// beside the products when measured (decision 0003).
  func cost(_ shape: ConvolutionShape) -> Double {
    let pairs = Double(shape.inChannels * shape.outChannels)
    switch self {
    case .direct:
      return Double(shape.outHeight * shape.outWidth * shape.kernelTaps) * pairs
    case .winograd:
      let tiles = Double((shape.outHeight + 3) / 4 * ((shape.outWidth + 3) / 4))
      // Transforms work on whole vectors of sixteen channels.
      let vectors = Double((shape.inChannels + 15) / 16 + (shape.outChannels + 15) / 16)
      return tiles * (36 * pairs + 5000 * vectors)
    }
  }
}

/// What the user wants of the choice: the cheapest algorithm, or one wherever it can serve.
public enum ConvolutionPolicy: String, Sendable, CaseIterable {
  case auto, direct, winograd

  /// The algorithm for a shape.
  public func choose(_ shape: ConvolutionShape) -> ConvolutionAlgorithm {
    switch self {
    case .direct: .direct
    case .winograd: ConvolutionAlgorithm.winograd.supports(shape) ? .winograd : .direct
    case .auto:
      ConvolutionAlgorithm.allCases.filter { $0.supports(shape) }
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
    let shape: ConvolutionShape
    switch node.op {
    case "conv2d": shape = try .forward(types)
    case "conv2d_input_grad": shape = try .inputGradient(types)
    case "conv2d_weight_grad": shape = try .weightGradient(types)
    default: return node
    }
    var node = node
    node.attributes["algorithm"] = .string(choose(shape).rawValue)
    return node
  }
}
