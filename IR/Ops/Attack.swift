// The steps of L-infinity attacks (Madry et al. 2018): random start, sign step and projection.

private let box = [
  AttributeSpec("eps", .float), AttributeSpec("low", .float, default: .float(0)),
  AttributeSpec("high", .float, default: .float(1)),
]

extension OpRegistry {
  static let attackOps: [OpDef] = [signStep, randomStart]

  /// clamp(clamp(x + step * sign(gradient), clean - eps, clean + eps), low, high).
  private static let signStep = OpDef(
    "sign_step", attributes: [AttributeSpec("step", .float)] + box, fusion: .elementwise,
    inPlace: [(0, 0)],
    samples: [
      OpSample(
        [.f32(2, 3, 3, 3), .f32(2, 3, 3, 3), .f32(2, 3, 3, 3)],
        ["step": .float(0.0625), "eps": .float(0.25)])
    ],
    infer: { types in
      try types.expectCount(3)
      try types.expect(0, .f32)
      try types.expect(1, types[0], "gradient")
      try types.expect(2, types[0], "clean images")
      return [types[0]]
    },
    reference: { call in
      let a = call.attributes
      let (eps, low, high) = (a.float("eps"), a.float("low"), a.float("high"))
      return [
        call[0].indices.map { i in
          let g = call[1][i]
          let moved = call[0][i] + a.float("step") * (g > 0 ? 1 : g < 0 ? -1 : 0)
          return min(max(min(max(moved, call[2][i] - eps), call[2][i] + eps), low), high)
        }
      ]
    })

  /// clamp(x + eps * (2 u - 1), low, high), u uniform. Operands: x [N, ...], ids i32 [N] (each
  /// image's index in its data set), stream i32 [4] (`RandomStream.operand`).
  private static let randomStart = OpDef(
    "random_start", attributes: box,
    samples: [
      OpSample(
        [.f32(3, 3, 3, 3), .i32(3), .i32(4)], ["eps": .float(0.25)], integerBound: 1000)
    ],
    infer: { types in
      try types.expectCount(3)
      try types.expect(0, .f32)
      try types.expect(1, .i32(types[0].shape.first ?? 1), "ids")
      try types.expect(2, .i32(4), "stream")
      return [types[0]]
    },
    reference: { call in
      let a = call.attributes
      let (eps, low, high) = (a.float("eps"), a.float("low"), a.float("high"))
      let stream = call[2].map { UInt32(bitPattern: Int32($0)) }
      let elements = call[0].count / call[1].count
      return [
        call[0].indices.map { i in
          let (image, element) = (i / elements, i % elements)
          let words = Philox.words(
            counter: (
              UInt32(element / 4), UInt32(bitPattern: Int32(call[1][image])), stream[2], stream[3]
            ), key: (stream[0], stream[1]))
          let word = [words.0, words.1, words.2, words.3][element % 4]
          let moved = call[0][i] + eps * (2 * Double(Philox.uniform(word)) - 1)
          return min(max(moved, low), high)
        }
      ]
    })
}
