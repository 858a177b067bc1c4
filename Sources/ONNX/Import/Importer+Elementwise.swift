import IR
import Models

// Operators element by element.
extension Importer {
  static let elementwiseRules: [String: Rule] = [
    "Relu": { try $0.activation($1, "relu") },
    "Tanh": { try $0.activation($1, "tanh") },
    "Sigmoid": { try $0.sigmoid($1) },
    "LeakyRelu": {
      try $0.activation(
        $1, "leaky_relu", ["slope": .float($1.float("alpha", default: 0.01).shortest)])
    },
    "PRelu": { try $0.parametricRelu($1) },
    "Softplus": { try $0.softplus($1) },
    "Greater": { try $0.greater($1) },
    "Where": { try $0.choice($1) },
    "Gelu": {
      let isTanh = $1.string("approximate", default: "none") == "tanh"
      return try $0.activation($1, "gelu", ["tanh": .bool(isTanh)])
    },
    "Erf": { try $0.errorFunction($1) },
    "Clip": { try $0.clip($1) },
    "HardSigmoid": { try $0.hardSigmoid($1) },
    "HardSwish": { try $0.activation($1, "hard_swish") },
    "Add": { try $0.sum($1, sign: 1) },
    "Sub": { try $0.sum($1, sign: -1) },
    "Mul": { try $0.product($1) },
    "Div": { try $0.quotient($1) },
    "Identity": { importer, node in .tensor(try node.tensor(0)) },
    "Dropout": { try $0.dropout($1) },
    "Cast": { try $0.cast($1) },
    "Softmax": { try $0.final($1) },
    "LogSoftmax": { try $0.final($1) },
  ]

  private func activation(
    _ node: OnnxNode, _ op: String, _ attributes: Attributes = [:]
  ) throws -> OnnxValue {
    tensor(try emit(op, [plain(node.tensor(0))], attributes))
  }

  /// x where it is positive, else slope * x; by channel as relu(x) - slope * relu(-x).
  private mutating func parametricRelu(_ node: OnnxNode) throws -> OnnxValue {
    let input = try node.tensor(0)
    guard let slopes = try node.constant(1) else { throw ModelError("input 1 is missing") }
    let slope = try channelVector(slopes, input)
    notes.append("\(node.label): its slopes stay as they are when the network is trained")
    let x = try plain(input)
    if let first = slope.first, slope.allSatisfy({ $0 == first }) {
      return tensor(try emit("leaky_relu", [x], ["slope": .float(first)]))
    }
    let below = try emit("relu", [affine(x, -1, 0)])
    let scaled = try affine(below, slope.map(-), slope.map { _ in 0 })
    return tensor(try emit("add", [emit("relu", [x]), scaled]))
  }

  private mutating func sigmoid(_ node: OnnxNode) throws -> OnnxValue {
    let x = try plain(node.tensor(0))
    let y = try emit("sigmoid", [x])
    origins[y] = .sigmoid(of: x)
    return tensor(y)
  }

  private mutating func softplus(_ node: OnnxNode) throws -> OnnxValue {
    let x = try plain(node.tensor(0))
    let y = try emit("softplus", [x])
    origins[y] = .softplus(of: x)
    return tensor(y)
  }

  /// PyTorch's softplus is x itself where x exceeds 20, which rounding makes it anyway.
  private func greater(_ node: OnnxNode) throws -> OnnxValue {
    var x = try node.tensor(0)
    guard x.form == .plain, let bound = try node.constant(1), bound.count == 1 else {
      throw ModelError("comparisons are supported within softplus alone")
    }
    x.form = .exceeds(bound.floats[0])
    return .tensor(x)
  }

  private func choice(_ node: OnnxNode) throws -> OnnxValue {
    let (condition, x, y) = (try node.tensor(0), try node.tensor(1), try node.tensor(2))
    guard case .exceeds(let bound) = condition.form, bound >= 20, condition.value == x.value,
      case .softplus(x.value) = origins[y.value]
    else { throw ModelError("choices are supported within softplus alone") }
    return .tensor(y)
  }

  /// The part of GELU that older operator sets write as erf(x / sqrt 2).
  private func errorFunction(_ node: OnnxNode) throws -> OnnxValue {
    var x = try node.tensor(0)
    guard x.form == .plain, case .affine(let source, let scale, let shift) = origins[x.value],
      scale.allSatisfy({ abs($0 - 0.5.squareRoot()) < 1e-6 }), shift.allSatisfy({ $0 == 0 })
    else { throw ModelError("erf is supported within GELU alone: erf(x / sqrt 2)") }
    x.value = source
    x.form = .errorFunction(plusOne: false)
    return .tensor(x)
  }

  private func clip(_ node: OnnxNode) throws -> OnnxValue {
    let low = try bound(node, "min", 1), high = try bound(node, "max", 2)
    let x = try plain(node.tensor(0))
    if low == 0, high == .infinity { return tensor(try emit("relu", [x])) }
    return tensor(try clamp(x, low, high))
  }

  private func bound(_ node: OnnxNode, _ name: String, _ input: Int) throws -> Double {
    let none = name == "min" ? -Double.infinity : .infinity
    if node.has(name) { return Double(node.float(name, default: 0)) }
    return try node.constant(input)?.floats.first.map { Double($0) } ?? none
  }

  private func clamp(_ x: ValueID, _ low: Double, _ high: Double) throws -> ValueID {
    let largest = Double(Float.greatestFiniteMagnitude)
    return try emit(
      "clamp", [x], ["low": .float(max(low, -largest)), "high": .float(min(high, largest))])
  }

  /// max(0, min(1, slope * x + shift)).
  private mutating func hardSigmoid(_ node: OnnxNode) throws -> OnnxValue {
    let slope = Double(node.float("alpha", default: 0.2))
    let shift = Double(node.float("beta", default: 0.5))
    let x = try plain(node.tensor(0))
    if abs(slope - 1.0 / 6) < 1e-7, shift == 0.5 { return tensor(try emit("hard_sigmoid", [x])) }
    return tensor(try clamp(affine(x, slope, shift), 0, 1))
  }

  /// Masks are drawn in training alone.
  private mutating func dropout(_ node: OnnxNode) throws -> OnnxValue {
    let x = try plain(node.tensor(0))
    let given = try node.version < 12 ? nil : node.constant(1)?.floats.first
    let rate = (given ?? node.float("ratio", default: 0.5)).shortest
    if rate == 0 { return tensor(x) }
    let ids = try builder.input("ids", .i32(batch), .data)
    let stream = try builder.input("stream", .i32(4), .data)
    defer { dropouts += 1 }
    return tensor(
      try emit("dropout", [x, ids, stream], ["rate": .float(rate), "layer": .int(dropouts)]))
  }

  // MARK: Arithmetic

  private mutating func sum(_ node: OnnxNode, sign: Double) throws -> OnnxValue {
    switch (node.inputs.first ?? nil, node.inputs.count > 1 ? node.inputs[1] : nil) {
    case (.tensor(let a), .tensor(let b)):
      guard a.shape == b.shape else {
        throw ModelError("operands \(a.shape) and \(b.shape) must have one shape")
      }
      let right = try plain(b)
      return tensor(
        try emit("add", [plain(a), sign > 0 ? right : affine(right, -1, 0)]))
    case (.tensor(let x), .constant(let constant)):
      if case .errorFunction(false) = x.form, constant.floats == [1], sign > 0 {
        var part = x
        part.form = .errorFunction(plusOne: true)
        return .tensor(part)
      }
      if case .product(let layer) = origins[x.value], sign > 0, x.form == .plain,
        constant.shape.count <= x.shape.count, constant.count == channels(x)
      {
        _ = try channelVector(constant, x)
        return tensor(try addBias(x.value, layer, constant))
      }
      let shift = try channelVector(constant, x).map { sign * $0 }
      return tensor(try affine(plain(x), shift.map { _ in 1 }, shift))
    case (.constant(let constant), .tensor(let x)):
      let shift = try channelVector(constant, x)
      return tensor(try affine(plain(x), shift.map { _ in sign }, shift))
    default: throw ModelError("two inputs are expected")
    }
  }

  private mutating func product(_ node: OnnxNode) throws -> OnnxValue {
    switch (node.inputs.first ?? nil, node.inputs.count > 1 ? node.inputs[1] : nil) {
    case (.tensor(let a), .tensor(let b)): return try product(a, b)
    case (.tensor(let x), .constant(let constant)), (.constant(let constant), .tensor(let x)):
      let scale = try channelVector(constant, x)
      return tensor(try affine(plain(x), scale, scale.map { _ in 0 }))
    default: throw ModelError("two inputs are expected")
    }
  }

  private mutating func product(_ a: OnnxTensor, _ b: OnnxTensor) throws -> OnnxValue {
    for (x, factor) in [(a, b), (b, a)] {
      if case .sigmoid(x.value) = origins[factor.value] {
        return tensor(try emit("silu", [x.value]))
      }
      if case .errorFunction(true) = factor.form, factor.value == x.value, x.form == .plain {
        return tensor(try affine(emit("gelu", [x.value]), 2, 0))
      }
    }
    if a.shape == b.shape { return tensor(try emit("multiply", [plain(a), plain(b)])) }
    let (x, gate) = b.shape.suffix(2) == [1, 1] ? (a, b) : (b, a)
    guard gate.shape.count == 4, gate.shape == Array(x.shape.prefix(2)) + [1, 1] else {
      throw ModelError(
        "operands \(a.shape) and \(b.shape) must have one shape, or one be [N, C, 1, 1]")
    }
    return tensor(try emit("image_scale", [plain(x), rows(gate)]))
  }

  private mutating func quotient(_ node: OnnxNode) throws -> OnnxValue {
    let x = try node.tensor(0)
    guard let constant = try node.constant(1) else { throw ModelError("input 1 is missing") }
    let scale = try channelVector(constant, x).map { 1 / $0 }
    return tensor(try affine(plain(x), scale, scale.map { _ in 0 }))
  }

  private func channels(_ x: OnnxTensor) -> Int { x.shape.count > 1 ? x.shape[1] : 1 }

  /// One number for each channel of `x`, from a constant that broadcasts to it so.
  private func channelVector(_ constant: Constant, _ x: OnnxTensor) throws -> [Double] {
    let own = constant.shape.drop { $0 == 1 }
    let numbers = constant.floats.map { Double($0) }
    let behind = x.shape.count - 2
    let isVector =
      own.first == channels(x) && own.dropFirst().allSatisfy { $0 == 1 }
      && own.count == 1 + behind
    guard numbers.count == 1 || isVector else {
      throw ModelError(
        "a constant of shape \(constant.shape) does not give each channel of \(x.shape) a number")
    }
    return isVector ? numbers : Array(repeating: numbers[0], count: channels(x))
  }

  // MARK: Affine maps

  private mutating func affine(_ x: ValueID, _ scale: Double, _ shift: Double) throws -> ValueID {
    let channels = builder.type(x).channels
    return try affine(
      x, Array(repeating: scale, count: channels), Array(repeating: shift, count: channels))
  }

  /// x * scale + shift, one node for several such in a row, none for the identity.
  private mutating func affine(
    _ x: ValueID, _ scale: [Double], _ shift: [Double]
  ) throws -> ValueID {
    var (source, scale, shift) = (x, scale, shift)
    if case .affine(let first, let innerScale, let innerShift) = origins[x] {
      source = first
      shift = zip(zip(scale, innerShift), shift).map { $0.0 * $0.1 + $1 }
      scale = zip(scale, innerScale).map { $0 * $1 }
    }
    if scale.allSatisfy({ $0 == 1 }), shift.allSatisfy({ $0 == 0 }) { return source }
    try spend(2 * scale.count)
    let vectors = try [scale, shift].map { try emit("constant", [], ["values": .floats($0)]) }
    let y = try emit("affine", [source] + vectors)
    origins[y] = .affine(of: source, scale: scale, shift: shift)
    return y
  }

  // MARK: Others

  private func cast(_ node: OnnxNode) throws -> OnnxValue {
    let floats: [Onnx_TensorProto.DataType] = [.float, .float16, .double, .bfloat16]
    guard floats.contains(where: { $0.rawValue == node.int("to", default: 0) }) else {
      throw ModelError("images stay floating-point numbers")
    }
    return .tensor(try node.tensor(0))
  }

  /// Probabilities rank like logits, and losses are made of logits.
  private mutating func final(_ node: OnnxNode) throws -> OnnxValue {
    let x = try node.tensor(0)
    guard node.proto.output.first == graph.output.first?.name, x.shape.count == 2 else {
      throw ModelError("softmax is left out at the end of a network, and not supported within")
    }
    notes.append("\(node.label) is left out: the network's output are the logits before it")
    return .tensor(x)
  }
}
