// Dropout (Srivastava et al. 2014), in its form that leaves evaluation alone.

extension OpRegistry {
  static let dropoutOps: [OpDef] = [dropout]

  /// x / (1 - rate) where a uniform draw is `rate` or more, else 0; its own gradient.
  ///
  /// Operands: x [N, ...], ids i32 [N] (each image's index in its data set), stream i32 [4]
  /// (`RandomStream.operand`, whose purpose does not matter here). `layer` numbers the dropouts of
  /// a network. A draw depends on seed, epoch, image, layer and element alone.
  private static let dropout = OpDef(
    "dropout", attributes: [AttributeSpec("rate", .float), AttributeSpec("layer", .int)],
    inPlace: [(0, 0)],
    samples: [
      OpSample(
        [.f32(3, 2, 3, 7), .i32(3), .i32(4)], ["rate": .float(0.3), "layer": .int(2)],
        integerBound: 1000, differentiable: [0]),
      OpSample(
        [.f32(2, 33), .i32(2), .i32(4)], ["rate": .float(0.5), "layer": .int(0)],
        integerBound: 1000),
    ],
    infer: { types in
      try types.expectCount(3)
      try types.expect(0, .f32)
      try types.expect(1, .i32(types[0].shape.first ?? 1), "ids")
      try types.expect(2, .i32(4), "stream")
      let rate = types.attributes.float("rate")
      guard (0..<1).contains(rate) else { throw IRError("rate must be in [0, 1), is \(rate)") }
      guard (0..<1 << 24).contains(types.attributes.int("layer")) else {
        throw IRError("layer must be in 0 ..< 2^24, is \(types.attributes.int("layer"))")
      }
      return [types[0]]
    },
    reference: { call in
      let rate = Float(call.attributes.float("rate"))
      let purpose = RandomStream.Purpose.dropout(layer: call.attributes.int("layer"))
      let stream = call[2].map { UInt32(bitPattern: Int32($0)) }
      let elements = call[0].count / call[1].count
      return [
        call[0].indices.map { i in
          let id = UInt32(bitPattern: Int32(call[1][i / elements]))
          let words = Philox.words(
            counter: (UInt32(i % elements / 4), id, stream[2], purpose),
            key: (stream[0], stream[1]))
          let word = [words.0, words.1, words.2, words.3][i % elements % 4]
          return Philox.uniform(word) < rate ? 0 : call[0][i] / (1 - Double(rate))
        }
      ]
    },
    gradient: { context in
      [
        try context.builder.emitOne(
          "dropout", [context.dy(), context.operand(1), context.operand(2)], context.attributes),
        nil, nil,
      ]
    })
}
