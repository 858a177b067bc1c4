// Element-wise arithmetic of losses and gates. It runs in fused regions.

import Foundation

extension OpRegistry {
  static let arithmeticOps: [OpDef] = [subtract, divide, exponential, logarithm]

  private static let subtract = elementwise(
    "subtract", operands: 2, fusedOnly: true,
    samples: [OpSample([.f32(2, 3, 5), .f32(2, 3, 5)], differentiable: [0, 1])],
    { operands, _ in operands[0] - operands[1] },
    gradient: { context in
      let dy = try context.dy()
      return [
        context.wanted[0] ? dy : nil,
        try context.ifWanted(1) {
          try context.builder.emitOne("scale", [dy], ["factor": .float(-1)])
        },
      ]
    })

  private static let divide = elementwise(
    "divide", operands: 2, fusedOnly: true,
    samples: [
      OpSample([.f32(2, 3, 5), .f32(2, 3, 5)], positive: [1], differentiable: [0, 1]),
      OpSample([.f32(7), .f32(7)], positive: [1]),
    ],
    { operands, _ in operands[0] / operands[1] },
    gradient: { context in
      let quotient = try context.builder.emitOne("divide", [context.dy(), context.operand(1)])
      return [
        quotient,
        try context.ifWanted(1) {
          let product = try context.builder.emitOne("multiply", [quotient, context.result(0)])
          return try context.builder.emitOne("scale", [product], ["factor": .float(-1)])
        },
      ]
    })

  private static let exponential = elementwise(
    "exp", operands: 1, fusedOnly: true,
    samples: [OpSample([.f32(2, 3, 3, 5)], differentiable: [0])],
    { operands, _ in exp(operands[0]) },
    gradient: { context in
      [try context.builder.emitOne("multiply", [context.dy(), context.result(0)])]
    })

  /// The natural logarithm.
  private static let logarithm = elementwise(
    "log", operands: 1, fusedOnly: true,
    samples: [OpSample([.f32(2, 3, 3, 5)], positive: [0], differentiable: [0])],
    { operands, _ in log(operands[0]) },
    gradient: { context in
      [try context.builder.emitOne("divide", [context.dy(), context.operand(0)])]
    })
}
