import IR
import Models

// What every operation of a network becomes.
extension Exporter {
  static let layerRules: [String: Rule] = [
    "conv2d": { try $0.convolution($1) },
    "linear": { try $0.linear($1) },
    "batch_norm": { try $0.batchNorm($1) },
    "bias_add": { exporter, node in
      if exporter.isLayerBias(node) { return exporter.name(node.operands[0]) }
      return try exporter.channelwise("Add", node, 1)
    },
    "max_pool": { $0.pool($1, "MaxPool", []) },
    "avg_pool": {
      let counts = $1.attributes.bool("count_include_pad") ? 1 : 0
      return $0.pool($1, "AveragePool", [.int("count_include_pad", counts)])
    },
    "global_avg_pool": { exporter, node in
      exporter.add("Flatten", [exporter.unary(node, "GlobalAveragePool")])
    },
  ]

  static let otherRules: [String: Rule] = [
    "relu": { $0.unary($1, "Relu") },
    "sigmoid": { $0.unary($1, "Sigmoid") },
    "tanh": { $0.unary($1, "Tanh") },
    "flatten": { $0.unary($1, "Flatten") },
    "add": { $0.add("Add", $1.operands.map($0.name)) },
    "multiply": { $0.add("Mul", $1.operands.map($0.name)) },
    "concat": { $0.add("Concat", $1.operands.map($0.name), [.int("axis", 1)]) },
    "leaky_relu": {
      $0.unary($1, "LeakyRelu", [.float("alpha", $1.attributes.float("slope"))])
    },
    "gelu": {
      $0.unary($1, "Gelu", [.string("approximate", $1.attributes.bool("tanh") ? "tanh" : "none")])
    },
    "clamp": { exporter, node in
      let bounds = ["low", "high"].map { bound in
        exporter.constant([Float(node.attributes.float(bound))], shape: [])
      }
      return exporter.add("Clip", [exporter.name(node.operands[0])] + bounds)
    },
    "hard_sigmoid": {
      $0.unary($1, "HardSigmoid", [.float("alpha", 1.0 / 6), .float("beta", 0.5)])
    },
    "hard_swish": { $0.unary($1, "HardSwish") },
    "dropout": { exporter, node in
      let rate = exporter.constant([Float(node.attributes.float("rate"))], shape: [])
      return exporter.add("Dropout", [exporter.name(node.operands[0]), rate])
    },
    "silu": { exporter, node in
      exporter.add("Mul", [exporter.name(node.operands[0]), exporter.unary(node, "Sigmoid")])
    },
    "softplus": { exporter, node in
      let beta = exporter.constant([Float(node.attributes.float("beta"))], shape: [])
      let scaled = exporter.add("Mul", [exporter.name(node.operands[0]), beta])
      return exporter.add("Div", [exporter.add("Softplus", [scaled]), beta])
    },
    "scale": { exporter, node in
      let factor = exporter.constant([Float(node.attributes.float("factor"))], shape: [])
      return exporter.add("Mul", [exporter.name(node.operands[0]), factor])
    },
    // Read by what they are operands of.
    "constant": { exporter, node in "\(node.results[0])" },
    "channel_scale": { try $0.channelwise("Mul", $1, 1) },
    "affine": { try $0.affine($1) },
    "image_scale": { try $0.imagewise("Mul", $1) },
    "image_shift": { try $0.imagewise("Add", $1) },
    "subsample_pad": { $0.subsample($1) },
    "slice_channels": { exporter, node in
      let (start, count) = (node.attributes.int("start"), node.attributes.int("count"))
      return exporter.slice(
        exporter.name(node.operands[0]), from: [start], to: [start + count], axes: [1])
    },
  ]

  // MARK: Layers

  private mutating func convolution(_ node: Node) throws -> String {
    let filters = graph.type(node.operands[1]).shape
    return try layer(
      node, "Conv",
      [
        .ints("kernel_shape", Array(filters[2...])), .ints("pads", pads(node)),
        .ints("strides", node.attributes.ints("stride")), .ints("dilations", [1, 1]),
        .int("group", node.attributes.int("groups")),
      ])
  }

  private mutating func linear(_ node: Node) throws -> String {
    try layer(node, "Gemm", [.float("alpha", 1), .float("beta", 1), .int("transB", 1)])
  }

  private mutating func layer(
    _ node: Node, _ op: String, _ attributes: [Onnx_AttributeProto]
  ) throws -> String {
    let weight = try weight(node.operands[1])
    var inputs = [name(node.operands[0]), weight]
    if let bias = bias(of: node) { inputs.append(try self.weight(bias.parameter)) }
    return add(op, inputs, attributes, module: module(weight))
  }

  private func module(_ weight: String) -> String {
    weight.hasSuffix(".weight") ? String(weight.dropLast(7)) : weight
  }

  private mutating func batchNorm(_ node: Node) throws -> String {
    let vectors = try node.operands[1...4].map { try weight($0) }
    let momentum = node.attributes.float("momentum")
    return add(
      "BatchNormalization", [name(node.operands[0])] + vectors,
      [.float("epsilon", node.attributes.float("eps")), .float("momentum", 1 - momentum)],
      module: module(vectors[0]))
  }

  /// Above, left, below, right.
  private func pads(_ node: Node) -> [Int] {
    let pad = node.attributes.ints("pad")
    return pad.count == 4 ? pad : pad + pad
  }

  private mutating func pool(
    _ node: Node, _ op: String, _ more: [Onnx_AttributeProto]
  ) -> String {
    unary(
      node, op,
      [
        .ints("kernel_shape", node.attributes.ints("kernel")), .ints("pads", pads(node)),
        .ints("strides", node.attributes.ints("stride")),
      ] + more)
  }

  private mutating func unary(
    _ node: Node, _ op: String, _ attributes: [Onnx_AttributeProto] = []
  ) -> String {
    add(op, [name(node.operands[0])], attributes)
  }

  // MARK: Broadcasts

  /// `op` with a number for each channel.
  private mutating func channelwise(
    _ op: String, _ node: Node, _ operand: Int, of x: String? = nil
  ) throws -> String {
    let type = graph.type(node.operands[0])
    let shape = [type.channels] + (type.rank == 4 ? [1, 1] : [])
    return add(
      op, [x ?? name(node.operands[0]), try weight(node.operands[operand], shape: shape)])
  }

  /// Images are normalised as usual, (x - mean) / std; anything else is scaled and shifted.
  private mutating func affine(_ node: Node) throws -> String {
    let vectors = node.operands[1...].map { value -> [Double]? in
      graph.nodes.first { $0.results == [value] }?.attributes.floats("values")
    }
    guard node.operands[0] == graph.inputs.first(where: { $0.role == .data })?.value,
      let scale = vectors[0], let shift = vectors[1], scale.allSatisfy({ $0 != 0 })
    else {
      return try channelwise("Add", node, 2, of: channelwise("Mul", node, 1))
    }
    let shape = [scale.count, 1, 1]
    let mean = constant(zip(scale, shift).map { Float(-$1 / $0) }, shape: shape)
    let std = constant(scale.map { Float(1 / $0) }, shape: shape)
    return add("Div", [add("Sub", [name(node.operands[0]), mean]), std])
  }

  /// `op` with a number for each channel of each image.
  private mutating func imagewise(_ op: String, _ node: Node) throws -> String {
    guard graph.type(node.operands[1]).rank == 2, graph.type(node.operands[0]).rank == 4 else {
      throw ModelError("\(graph.text(of: node)): this broadcast cannot be written as ONNX")
    }
    let vector = add("Unsqueeze", [name(node.operands[1]), constant([2, 3])])
    return add(op, [name(node.operands[0]), vector])
  }

  // MARK: Rearrangement

  private mutating func subsample(_ node: Node) -> String {
    let attributes = node.attributes
    let (stride, before, after) = (
      attributes.int("stride"), attributes.int("before"), attributes.int("after")
    )
    var x = name(node.operands[0])
    if stride > 1 {
      x = slice(x, from: [0, 0], to: [.max, .max], axes: [2, 3], steps: [stride, stride])
    }
    guard before + after > 0 else { return stride > 1 ? x : add("Identity", [x]) }
    return add("Pad", [x, constant([0, before, 0, 0, 0, after, 0, 0])])
  }

  private mutating func slice(
    _ x: String, from: [Int], to: [Int], axes: [Int], steps: [Int]? = nil
  ) -> String {
    add("Slice", [x] + [from, to, axes, steps ?? axes.map { _ in 1 }].map { constant($0) })
  }
}
