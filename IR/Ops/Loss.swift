// Losses and counts over logits, and the per-image feature distance of CLAT.

import Foundation

private func classification(_ types: OpTypes, logits: Int, labels: Int) throws -> TensorType {
  try types.expect(logits, .f32, rank: 2)
  let images = types[logits].shape[0]
  try types.expect(labels, .i32(images), "one label an image")
  return .f32(images)
}

/// The classes that labels name, each below `classes`.
private func classIndices(_ labels: [Double], below classes: Int) throws -> [Int] {
  try labels.map { label in
    guard let index = Int(exactly: label), (0..<classes).contains(index) else {
      throw IRError("label \(label) is not one of \(classes) classes")
    }
    return index
  }
}

private func softmax(_ logits: ArraySlice<Double>) -> (probabilities: [Double], logSum: Double) {
  let top: Double = logits.max() ?? 0
  let exponentials: [Double] = logits.map { exp($0 - top) }
  let sum: Double = exponentials.reduce(0, +)
  let probabilities: [Double] = exponentials.map { $0 / sum }
  return (probabilities, top + log(sum))
}

extension OpRegistry {
  static let lossOps: [OpDef] = [
    crossEntropy, crossEntropyGrad, correct, mean, broadcast, featureDistance, featureDistanceGrad,
  ]

  /// Softmax cross entropy of every image: logits [N, K], labels [N] to [N].
  private static let crossEntropy = OpDef(
    "cross_entropy",
    samples: [OpSample([.f32(3, 5), .i32(3)], integerBound: 5, differentiable: [0])],
    infer: { types in
      try types.expectCount(2)
      return [try classification(types, logits: 0, labels: 1)]
    },
    reference: { call in
      let classes = call.types[0].channels
      return [
        try classIndices(call[1], below: classes).enumerated().map { n, label in
          let row = call[0][n * classes..<(n + 1) * classes]
          return softmax(row).logSum - row[row.startIndex + label]
        }
      ]
    },
    gradient: { context in
      [
        try context.builder.emitOne(
          "cross_entropy_grad", [context.operand(0), context.operand(1), context.dy()]), nil,
      ]
    })

  /// (softmax(logits) - onehot(label)) * dy: logits [N, K], labels [N], dy [N].
  private static let crossEntropyGrad = OpDef(
    "cross_entropy_grad",
    samples: [OpSample([.f32(3, 5), .i32(3), .f32(3)], integerBound: 5)],
    infer: { types in
      try types.expectCount(3)
      let perImage = try classification(types, logits: 0, labels: 1)
      try types.expect(2, perImage, "dy")
      return [types[0]]
    },
    reference: { call in
      let classes = call.types[0].channels
      var gradient = [Double]()
      for (n, label) in try classIndices(call[1], below: classes).enumerated() {
        var row = softmax(call[0][n * classes..<(n + 1) * classes]).probabilities
        row[label] -= 1
        gradient += row.map { $0 * call[2][n] }
      }
      return [gradient]
    })

  /// 1 for every image whose (first) largest logit is the label's: i32 [N].
  private static let correct = OpDef(
    "correct", samples: [OpSample([.f32(4, 5), .i32(4)], integerBound: 5)],
    infer: { types in
      try types.expectCount(2)
      return [TensorType(.i32, try classification(types, logits: 0, labels: 1).shape)]
    },
    reference: { call in
      let classes = call.types[0].channels
      return [
        call[1].enumerated().map { n, label in
          let row = call[0][n * classes..<(n + 1) * classes]
          let best = row.indices.first { row[$0] == row.max() } ?? row.startIndex
          return best - row.startIndex == Int(label) ? 1 : 0
        }
      ]
    })

  /// The mean of a vector: [N] to [1].
  private static let mean = OpDef(
    "mean", fusion: .reduction, samples: [OpSample([.f32(5)], differentiable: [0])],
    infer: { types in
      try types.expectCount(1)
      try types.expect(0, .f32, rank: 1)
      return [.f32(1)]
    },
    reference: { call in [[call[0].reduce(0, +) / Double(call[0].count)]] },
    gradient: { context in
      let count = context.type(context.operand(0)).count
      return [
        try context.builder.emitOne(
          "broadcast", [context.dy()],
          ["count": .int(count), "factor": .float(1 / Double(count))])
      ]
    })

  /// [1] to [count]: x times factor everywhere.
  private static let broadcast = OpDef(
    "broadcast",
    attributes: [
      AttributeSpec("count", .int), AttributeSpec("factor", .float, default: .float(1)),
    ],
    samples: [OpSample([.f32(1)], ["count": .int(5), "factor": .float(0.25)])],
    infer: { types in
      try types.expectCount(1)
      try types.expect(0, .f32(1), "a scalar")
      guard types.attributes.int("count") > 0 else { throw IRError("count must be positive") }
      return [.f32(types.attributes.int("count"))]
    },
    reference: { call in
      [
        Array(
          repeating: call[0][0] * call.attributes.float("factor"),
          count: call.attributes.int("count"))
      ]
    })

  private static let distanceEpsilon = AttributeSpec("eps", .float, default: .float(1e-12))

  /// sqrt(sum of (a - b)^2 + eps) of every image (CLAT, Eqs. 2 and 5): [N, ...] twice to [N]. With
  /// `detach`, b is a constant to the gradient.
  private static let featureDistance = OpDef(
    "feature_distance",
    attributes: [distanceEpsilon, AttributeSpec("detach", .bool, default: .bool(false))],
    fusion: .reduction,
    samples: [OpSample([.f32(3, 2, 2, 5), .f32(3, 2, 2, 5)], differentiable: [0, 1])],
    infer: { types in
      try types.expectCount(2)
      try types.expect(0, .f32)
      try types.expect(1, types[0], "like operand 0")
      return [.f32(types[0].shape.first ?? 1)]
    },
    reference: { call in
      let elements = call[0].count / call.resultTypes[0].count
      var sums = [Double](repeating: call.attributes.float("eps"), count: call.resultTypes[0].count)
      for i in call[0].indices {
        let difference: Double = call[0][i] - call[1][i]
        sums[i / elements] += difference * difference
      }
      return [sums.map { $0.squareRoot() }]
    },
    gradient: { context in
      let da = try context.builder.emitOne(
        "feature_distance_grad",
        [context.operand(0), context.operand(1), context.result(0), context.dy()])
      return [
        da,
        context.attributes.bool("detach")
          ? nil
          : try context.ifWanted(1) {
            try context.builder.emitOne("scale", [da], ["factor": .float(-1)])
          },
      ]
    })

  /// (a - b) * dy / distance, the gradient with respect to a.
  private static let featureDistanceGrad = OpDef(
    "feature_distance_grad", inPlace: [(0, 0)],
    samples: [
      OpSample([.f32(3, 2, 2, 5), .f32(3, 2, 2, 5), .f32(3), .f32(3)], positive: [2])
    ],
    infer: { types in
      try types.expectCount(4)
      try types.expect(0, .f32)
      try types.expect(1, types[0], "like operand 0")
      let perImage = TensorType.f32(types[0].shape.first ?? 1)
      try types.expect(2, perImage, "distance")
      try types.expect(3, perImage, "dy")
      return [types[0]]
    },
    reference: { call in
      let elements = call[0].count / call[2].count
      return [
        call[0].indices.map { i in
          (call[0][i] - call[1][i]) * call[3][i / elements] / call[2][i / elements]
        }
      ]
    })
}
