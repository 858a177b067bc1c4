import IR

/// A graph of random fusable operations on one domain, all of whose values stay of moderate size.
///
/// What decides by sign (ReLU's bits and gradients) reads inputs alone, which are the same numbers
/// in single and double precision.
struct RandomRegion {
  private static let domains: [[Int]] = [
    [3, 2, 2, 5], [2, 3, 3, 16], [1, 1, 1, 1], [4, 4, 4, 4], [2, 5, 3, 17], [3, 10], [2, 257], [5],
    [2, 4, 4, 64], [3, 7, 1, 8], [2, 2, 2, 33], [1, 9, 9, 3], [2, 600], [3, 1, 1, 24],
  ]

  private var random: RandomSequence
  private let builder = GraphBuilder(name: "random")
  private let domain: TensorType
  private var inputs: [ValueID] = []
  private var full: [ValueID] = []
  /// One number an image, or a channel of an image.
  private var vectors: [ValueID] = []
  private var bits: [ValueID] = []

  /// The graph of a seed, after the passes that make regions.
  static func graph(seed: UInt64) throws -> Graph {
    var region = RandomRegion(seed)
    return try region.build()
  }

  private init(_ seed: UInt64) {
    random = RandomSequence(seed)
    domain = TensorType(.f32, RandomRegion.domains[Int(seed) % RandomRegion.domains.count])
  }

  private mutating func build() throws -> Graph {
    for index in 0..<2 {
      inputs.append(try builder.input("x\(index)", domain, .data))
    }
    full = inputs
    bits = [try builder.input("bits", TensorType(.bits, domain.shape), .data)]
    let nodes = 4 + random.below(9)
    while builder.graph.nodes.count < nodes { try grow() }
    let values = full.dropFirst(2) + vectors + bits.dropFirst()
    for (index, value) in values.enumerated() where index % 2 == 0 || random.below(2) == 0 {
      builder.output("y\(index)", value)
    }
    builder.output("last", try builder.emitOne("sigmoid", [full.last!]))
    let names = ["assignStages", "fuseElementwise"]
    let passes = Pipeline.passes(CompileRequest()).filter { names.contains($0.name) }
    return try PassManager().run(builder.graph, passes).graph
  }

  private mutating func pick(_ values: [ValueID]) -> ValueID { values[random.below(values.count)] }

  private mutating func grow() throws {
    switch random.below(8) {
    case 0, 1, 2: full.append(try unary())
    case 3: full.append(try binary())
    case 4: full.append(try bySign())
    case 5: if domain.rank > 1 { full.append(try byChannel()) }
    case 6: if domain.rank > 1 { try reduce() }
    default: if !vectors.isEmpty { full.append(try broadcast()) }
    }
  }

  private mutating func unary() throws -> ValueID {
    let x = pick(full)
    switch random.below(11) {
    case 0: return try builder.emitOne("silu", [x])
    case 1: return try builder.emitOne("sigmoid", [x])
    case 2: return try builder.emitOne("tanh", [x])
    case 3: return try builder.emitOne("gelu", [x], ["tanh": .bool(false)])
    case 4: return try builder.emitOne("gelu", [x], ["tanh": .bool(true)])
    case 5: return try builder.emitOne("softplus", [x], ["beta": .float(1.5)])
    case 6: return try builder.emitOne("leaky_relu", [x], ["slope": .float(0.2)])
    case 7: return try builder.emitOne("exp", [builder.emitOne("tanh", [x])])
    case 8: return try builder.emitOne("log", [builder.emitOne("sigmoid", [x])])
    default:
      return domain.rank == 2
        ? try builder.emitOne("log_softmax", [x])
        : try builder.emitOne("scale", [x], ["factor": .float(-0.75)])
    }
  }

  private mutating func binary() throws -> ValueID {
    let (a, b) = (pick(full), pick(full))
    switch random.below(8) {
    case 0: return try builder.emitOne("add", [a, b])
    case 1: return try builder.emitOne("subtract", [a, b])
    case 2: return try builder.emitOne("tanh", [builder.emitOne("multiply", [a, b])])
    case 3:
      let positive = try builder.emitOne("exp", [builder.emitOne("tanh", [b])])
      return try builder.emitOne("divide", [a, positive])
    case 4: return try builder.emitOne("silu_grad", [a, b])
    case 5: return try builder.emitOne("gelu_grad", [a, b], ["tanh": .bool(random.below(2) == 0)])
    case 6: return try builder.emitOne("softplus_grad", [a, b])
    default: return try builder.emitOne("sigmoid_grad", [a, builder.emitOne("sigmoid", [b])])
    }
  }

  private mutating func bySign() throws -> ValueID {
    switch random.below(4) {
    case 0: return try builder.emitOne("relu_grad", [pick(full), pick(inputs)])
    case 1: return try builder.emitOne("leaky_relu_grad", [pick(full), pick(inputs)])
    case 2: return try builder.emitOne("mask", [pick(full), pick(bits)])
    default:
      let results = try builder.emit("relu_bits", [pick(inputs)])
      bits.append(results[1])
      return results[0]
    }
  }

  private mutating func byChannel() throws -> ValueID {
    let vector = try builder.input("v\(random.below(3))", .f32(domain.channels), .data)
    switch random.below(3) {
    case 0: return try builder.emitOne("bias_add", [pick(full), vector])
    case 1: return try builder.emitOne("channel_scale", [pick(full), vector])
    default: return try builder.emitOne("affine", [pick(full), vector, vector])
    }
  }

  private mutating func reduce() throws {
    let x = pick(full)
    let elements = domain.count / domain.shape[0]
    switch random.below(domain.rank > 2 ? 4 : 2) {
    case 0: vectors.append(try builder.emitOne("image_max", [x]))
    case 1: vectors.append(try mean("image_sum", x, elements))
    case 2: vectors.append(try mean("image_channel_sum", x, elements / domain.channels))
    default:
      let gate = try builder.emitOne("sigmoid", [mean("image_channel_sum", x, elements)])
      vectors.append(try mean("image_sum", gate, domain.channels))
    }
  }

  private func mean(_ op: String, _ x: ValueID, _ count: Int) throws -> ValueID {
    try builder.emitOne(
      "scale", [builder.emitOne(op, [x])], ["factor": .float(1 / Double(count))])
  }

  private mutating func broadcast() throws -> ValueID {
    let vector = pick(vectors)
    switch random.below(3) {
    case 0: return try builder.emitOne("image_scale", [pick(full), vector])
    case 1: return try builder.emitOne("image_shift", [pick(full), vector])
    default:
      return try builder.emitOne(
        "image_broadcast", [vector], ["shape": .ints(domain.shape)])
    }
  }
}

/// SplitMix64 (Steele et al. 2014).
struct RandomSequence {
  private var state: UInt64

  init(_ seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ z >> 30) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ z >> 27) &* 0x94d0_49bb_1331_11eb
    return z ^ z >> 31
  }

  mutating func below(_ bound: Int) -> Int { Int(next() >> 33) % bound }
}
