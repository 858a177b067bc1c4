// What comes after the loop.

extension OpRegistry {
  static let loopOps: [OpDef] = [afterLoop]

  /// Its operand as the last step of the loop leaves it, for nodes that run once after the loop; a
  /// constant to gradients.
  static let afterLoop = OpDef(
    "after_loop",
    samples: [OpSample([.f32(2, 3, 3, 3)])],
    infer: { types in
      try types.expectCount(1)
      try types.expect(0, .f32)
      return [types[0]]
    },
    reference: { call in [call[0]] })
}
