extension OpRegistry {
  static let optimizerOps: [OpDef] = [sgd]

  /// PyTorch's SGD with momentum and weight decay: sgd(w, g, m, lr [1]) -> new w, new m, where
  /// m' = momentum * m + g + weight_decay * w and w' = w - lr * m'.
  private static let sgd = OpDef(
    "sgd", attributes: [AttributeSpec("momentum", .float), AttributeSpec("weight_decay", .float)],
    inPlace: [(0, 0), (1, 2)],
    samples: [
      OpSample(
        [.f32(5, 3, 3, 3), .f32(5, 3, 3, 3), .f32(5, 3, 3, 3), .f32(1)],
        ["momentum": .float(0.9), "weight_decay": .float(5e-4)])
    ],
    infer: { types in
      try types.expectCount(4)
      try types.expect(0, .f32)
      try types.expect(1, types[0], "gradient")
      try types.expect(2, types[0], "momentum")
      try types.expect(3, .f32(1), "learning rate")
      return [types[0], types[0]]
    },
    reference: { call in
      let (momentum, decay) = (
        call.attributes.float("momentum"), call.attributes.float("weight_decay")
      )
      let m = call[0].indices.map { momentum * call[2][$0] + call[1][$0] + decay * call[0][$0] }
      return [m.indices.map { call[0][$0] - call[3][0] * m[$0] }, m]
    })
}
