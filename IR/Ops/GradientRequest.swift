extension OpRegistry {
  static let gradientOps: [OpDef] = [gradientRequest]

  /// gradient(loss [1], wrt...): a request that the pass `differentiate` replaces by the gradient's
  /// nodes. It cannot be executed.
  private static let gradientRequest = OpDef(
    "gradient",
    samples: [],
    infer: { types in
      guard types.operands.count >= 1 else { throw IRError("expected the loss") }
      try types.expect(0, .f32(1), "the loss, a scalar")
      for index in types.operands.indices.dropFirst() { try types.expect(index, .f32) }
      return Array(types.operands.dropFirst())
    },
    reference: { _ in
      throw IRError("gradient requests are resolved by the pass differentiate, never executed")
    })
}
