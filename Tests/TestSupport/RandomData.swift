import IR

/// Random elements of a type, the same for the same seed: uniform in (-1, 1), or in [0.5, 1.5)
/// where `positive`; whole numbers in 0..<integerBound; bits 0 or 1. With `awayFromZero`, |x| is at
/// least that, so that no ReLU is at its kink.
public func randomValues(
  _ type: TensorType, seed: UInt64, positive: Bool = false, integerBound: Int = 2,
  awayFromZero margin: Double = 0
) -> [Double] {
  let stream = RandomStream(seed: seed, epoch: 0, purpose: .weights)
  return (0..<type.count).map { element in
    let word = stream.words(item: 0, index: element).0
    switch type.dtype {
    case .i32: return Double(Int(word) % max(integerBound, 1))
    case .bits: return Double(word % 2)
    case .f32, .packed:
      let uniform = Double(Philox.uniform(word))
      if positive { return 0.5 + uniform }
      let signed = 2 * uniform - 1
      return signed < 0 ? signed * (1 - margin) - margin : signed * (1 - margin) + margin
    }
  }
}

/// Random operands of a sample, in the ranges that it asks for.
public func randomInputs(
  _ sample: OpSample, seed: UInt64, awayFromZero margin: Double = 0
) -> [[Double]] {
  sample.operands.enumerated().map { index, type in
    randomValues(
      type, seed: seed &* 1000 &+ UInt64(index), positive: sample.positive.contains(index),
      integerBound: sample.integerBound, awayFromZero: margin)
  }
}

extension Graph {
  /// Random values for every input but the carried ones, each drawn by its name, so that graphs
  /// with different inputs agree on those that they share. Variances (names that end in `var`) are
  /// positive.
  public func randomInputs(seed: UInt64 = 0, integerBound: Int = 2) -> [String: [Double]] {
    var result: [String: [Double]] = [:]
    for input in inputs where input.role != .carried {
      let seed = input.name.utf8.reduce(5381 &+ seed) { ($0 &* 33) ^ UInt64($1) }
      result[input.name] = randomValues(
        type(input.value), seed: seed, positive: input.name.hasSuffix("var"),
        integerBound: integerBound)
    }
    return result
  }

  /// A graph of one node of an operation: inputs `operand0`, ..., outputs `result0`, ...
  public init(of definition: OpDef, _ sample: OpSample) throws {
    let builder = GraphBuilder(name: definition.name)
    let operands = try sample.operands.enumerated().map { index, type in
      try builder.input("operand\(index)", type, .data)
    }
    let results = try builder.emit(definition.name, operands, sample.attributes)
    for (index, result) in results.enumerated() { builder.output("result\(index)", result) }
    self = builder.graph
  }
}
