import IR
import Models

// Operators with weights.
extension Importer {
  static let layerRules: [String: Rule] = [
    "Conv": { try $0.convolution($1) },
    "Gemm": { try $0.gemm($1) },
    "MatMul": { try $0.matrixProduct($1) },
    "BatchNormalization": { try $0.batchNorm($1) },
  ]

  /// Declares a weight of the network.
  mutating func parameter(
    _ name: String, _ shape: [Int], _ numbers: [Float], _ role: InputRole = .parameter
  ) throws -> ValueID {
    try spend(numbers.count)
    weights.add(name, numbers)
    return try builder.input(name, TensorType(.f32, shape), role)
  }

  private mutating func convolution(_ node: OnnxNode) throws -> OnnxValue {
    let x = try node.tensor(0)
    guard let filters = try node.constant(1), filters.shape.count == 4, x.shape.count == 4 else {
      throw ModelError("expected images [N, C, H, W] and filters [O, I, H, W]")
    }
    let kernel = Array(filters.shape[2...])
    let window = try Window(node, kernel: kernel, image: x)
    let attributes: Attributes = [
      "stride": .ints(window.stride), "pad": .ints(window.pads(adding: x.form)),
      "groups": .int(node.int("group", default: 1)),
    ]
    let layer = WeightTable.module(node)
    let name = weights.name(filters, layer: layer, suffix: "weight")
    let weight = try parameter(name, filters.shape, filters.floats)
    let y = try emit("conv2d", [imagesBelow(x), weight], attributes)
    return tensor(try biased(y, name, node.constant(2)))
  }

  /// The images themselves, where what reads them takes in their padding.
  func imagesBelow(_ x: OnnxTensor) throws -> ValueID {
    if case .padded = x.form { return x.value }
    return try plain(x)
  }

  /// Adds a layer's bias, if there is one; else it may come in a node of its own.
  private mutating func biased(
    _ product: ValueID, _ weight: String, _ bias: Constant?
  ) throws -> ValueID {
    let layer = weight.hasSuffix(".weight") ? String(weight.dropLast(7)) : weight
    guard let bias else {
      origins[product] = .product(layer: layer)
      return product
    }
    return try addBias(product, layer, bias)
  }

  mutating func addBias(_ product: ValueID, _ layer: String, _ bias: Constant) throws -> ValueID {
    let channels = builder.type(product).channels
    guard bias.count == channels || bias.count == 1 else {
      throw ModelError("a bias of \(bias.count) numbers for \(channels) channels")
    }
    let numbers =
      bias.floats.count == channels
      ? bias.floats : Array(repeating: bias.floats[0], count: channels)
    let name = weights.name(bias, layer: layer, suffix: "bias")
    return try emit("bias_add", [product, parameter(name, [channels], numbers)])
  }

  private mutating func gemm(_ node: OnnxNode) throws -> OnnxValue {
    guard node.int("transA", default: 0) == 0 else { throw ModelError("transA is not supported") }
    let isTransposed = node.int("transB", default: 0) != 0
    let alpha = node.float("alpha", default: 1)
    let beta = node.float("beta", default: 1)
    guard let matrix = try node.constant(1) else { throw ModelError("input 1 is missing") }
    return try linear(
      node, matrix.scaled(by: alpha), isTransposed: isTransposed,
      bias: node.constant(2)?.scaled(by: beta))
  }

  private mutating func matrixProduct(_ node: OnnxNode) throws -> OnnxValue {
    guard let matrix = try node.constant(1) else { throw ModelError("input 1 is missing") }
    return try linear(node, matrix, isTransposed: false, bias: nil)
  }

  /// - Parameter isTransposed: whether the matrix is [out, in], as in PyTorch.
  private mutating func linear(
    _ node: OnnxNode, _ matrix: Constant, isTransposed: Bool, bias: Constant?
  ) throws -> OnnxValue {
    let x = try node.tensor(0)
    guard x.shape.count == 2, matrix.shape.count == 2 else {
      throw ModelError("expected a matrix [N, C] times a matrix, found \(x.shape), \(matrix.shape)")
    }
    let stored = isTransposed ? matrix : try Folding.transpose(matrix, [1, 0])
    let name = weights.name(matrix, layer: WeightTable.module(node), suffix: "weight")
    let weight = try parameter(name, stored.shape, stored.floats)
    return tensor(try biased(emit("linear", [rows(x), weight]), name, bias))
  }

  private mutating func batchNorm(_ node: OnnxNode) throws -> OnnxValue {
    let x = try plain(node.tensor(0))
    let vectors = try (1...4).map { index in
      guard let vector = try node.constant(index) else {
        throw ModelError("input \(index) is missing")
      }
      return vector
    }
    let suffixes = ["weight", "bias", "running_mean", "running_var"]
    var layer = WeightTable.module(node)
    var operands = [x]
    for (vector, suffix) in zip(vectors, suffixes) {
      let name = weights.name(vector, layer: layer, suffix: suffix)
      if suffix == "weight" { layer = String(name.dropLast(7)) }
      operands.append(
        try parameter(
          name, vector.shape, vector.floats, suffix.hasPrefix("running") ? .buffer : .parameter))
    }
    // ONNX's momentum is the weight of the old statistics, PyTorch's that of the batch.
    let old = node.float("momentum", default: 0.9).shortest
    let momentum = ((1 - old) * 1e12).rounded() / 1e12
    let eps = node.float("epsilon", default: 1e-5).shortest
    return tensor(
      try emit(
        "batch_norm", operands,
        [
          "eps": .float(eps), "momentum": .float(momentum),
          "mode": .string(BatchNormMode.eval.rawValue),
        ]))
  }
}

extension Float {
  /// The double that is written like this number, as the exporter had it: 1e-05, not
  /// 9.999999747378752e-06.
  var shortest: Double { Double("\(self)") ?? Double(self) }
}
