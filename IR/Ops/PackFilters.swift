extension OpRegistry {
  static let packingOps: [OpDef] = [packFilters]

  /// Filters in the layout of the convolution kernels, for one use: the forward pass, or the input
  /// gradient (`transpose`), whose layout depends on the geometry. The value is unchanged.
  private static let packFilters = OpDef(
    "pack_filters",
    attributes: [
      ConvolutionAlgorithm.attribute,
      AttributeSpec("transpose", .bool, default: .bool(false)),
      AttributeSpec("stride", .ints, default: .ints([1, 1])),
      AttributeSpec("pad", .ints, default: .ints([0, 0])),
      AttributeSpec("input", .ints, default: .ints([1, 1])), OpTypes.groupsAttribute,
    ],
    samples: [
      OpSample([.f32(5, 3, 3, 3)]), OpSample([.f32(4, 7)]),
      OpSample([.f32(17, 3, 3, 3)], ["algorithm": .string("winograd")]),
      OpSample([.f32(6, 2, 3, 3)], ["groups": .int(3)]),
    ],
    infer: { types in
      try types.expectCount(1)
      try types.expect(0, .f32)
      guard types[0].rank == 4 || types[0].rank == 2 else {
        throw IRError("operand 0 must be filters OIHW or weights OI, is \(types[0])")
      }
      if try ConvolutionAlgorithm.of(types.attributes) != .direct,
        types[0].shape.dropFirst(2) != [3, 3]
      {
        throw IRError("operand 0 must be 3x3 filters for Winograd, is \(types[0])")
      }
      _ = try types.groups(of: types[0].shape[0])
      return [TensorType(.packed, types[0].shape)]
    },
    reference: { call in [call[0]] })
}
