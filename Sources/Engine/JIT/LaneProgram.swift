import IR
import Kernels

/// A fused region as loops over the lanes of one image: what both the code generator and the block
/// interpreter execute.
struct LaneProgram: Hashable, Sendable {
  /// One operation on all lanes; `inputs` are earlier steps of the loop.
  struct Step: Hashable, Sendable {
    var op: clat_lane_op.RawValue
    var inputs: [Int] = []
    /// The operand, scalar or row that is read or written.
    var index = 0
    var value: Float = 0

    var code: clat_lane_op { clat_lane_op(rawValue: op) }
  }

  struct Loop: Hashable, Sendable {
    /// `full` runs over pixels and channels, `imageChannel` over channels, `image` once.
    var space: RegionRole
    var steps: [Step]
  }

  /// Elements of a row of lanes.
  var channels: Int
  /// The node's operands, then its results.
  var roles: [RegionRole]
  /// Numbers that an image keeps from loop to loop, and rows of one number a channel.
  var scalars = 0
  var rows = 0
  var loops: [Loop] = []

  /// A readable form, the same for equal programs and different for others.
  var text: String {
    var lines = ["lanes channels \(channels) scalars \(scalars) rows \(rows)"]
    lines += roles.enumerated().map { "  operand \($0) \($1)" }
    for loop in loops {
      lines.append("  loop \(loop.space)")
      lines += loop.steps.enumerated().map { index, step in
        let inputs = step.inputs.map { " $\($0)" }.joined()
        let value = step.op == CLAT_LANE_CONSTANT.rawValue ? " \(step.value)" : ""
        return "    $\(index) = \(step.name)\(inputs) [\(step.index)]\(value)"
      }
    }
    return lines.joined(separator: "\n") + "\n"
  }
}

extension LaneProgram.Step {
  private static let names = [
    "load", "constant", "scalar", "row", "add", "subtract", "multiply", "divide", "multiply_add",
    "maximum", "select", "absolute", "exp", "log", "log1p", "erf", "tanh", "store", "set_scalar",
    "set_row", "sum", "top", "sum_row",
  ]

  var name: String { Self.names[Int(op)] }

  /// Whether the step computes nothing but its value.
  var isPure: Bool { op < CLAT_LANE_STORE.rawValue }
}

extension RegionRole {
  var code: clat_lane_role {
    switch self {
    case .full: CLAT_ROLE_FULL
    case .bits: CLAT_ROLE_BITS
    case .channel: CLAT_ROLE_CHANNEL
    case .image: CLAT_ROLE_IMAGE
    case .imageChannel: CLAT_ROLE_IMAGE_CHANNEL
    }
  }
}

/// Appends steps to a loop; equal steps are one.
struct LaneBuilder {
  private(set) var steps: [LaneProgram.Step] = []
  private var known: [LaneProgram.Step: Int] = [:]

  @discardableResult
  mutating func step(
    _ op: clat_lane_op, _ inputs: Int..., index: Int = 0, value: Float = 0
  ) -> Int {
    let step = LaneProgram.Step(op: op.rawValue, inputs: inputs, index: index, value: value)
    if step.isPure, let same = known[step] { return same }
    steps.append(step)
    known[step] = steps.count - 1
    return steps.count - 1
  }

  mutating func constant(_ value: Double) -> Int { step(CLAT_LANE_CONSTANT, value: Float(value)) }
  mutating func add(_ a: Int, _ b: Int) -> Int { step(CLAT_LANE_ADD, a, b) }
  mutating func subtract(_ a: Int, _ b: Int) -> Int { step(CLAT_LANE_SUBTRACT, a, b) }
  mutating func multiply(_ a: Int, _ b: Int) -> Int { step(CLAT_LANE_MULTIPLY, a, b) }
  mutating func divide(_ a: Int, _ b: Int) -> Int { step(CLAT_LANE_DIVIDE, a, b) }
  mutating func maximum(_ a: Int, _ b: Int) -> Int { step(CLAT_LANE_MAXIMUM, a, b) }
  mutating func exp(_ x: Int) -> Int { step(CLAT_LANE_EXP, x) }

  mutating func multiplyAdd(_ a: Int, _ b: Int, _ c: Int) -> Int {
    step(CLAT_LANE_MULTIPLY_ADD, a, b, c)
  }

  /// Where `condition` is positive `a`, else `b`.
  mutating func select(_ condition: Int, _ a: Int, _ b: Int) -> Int {
    step(CLAT_LANE_SELECT, condition, a, b)
  }

  mutating func scale(_ x: Int, _ factor: Double) -> Int { multiply(x, constant(factor)) }

  /// x within [low, high]; a NaN stays.
  mutating func clamp(_ x: Int, _ low: Double, _ high: Double) -> Int {
    let raised = maximum(x, constant(low))
    return select(subtract(raised, constant(high)), constant(high), raised)
  }

  /// Where low < x < high `a`, else `b`.
  mutating func between(_ x: Int, _ low: Double, _ high: Double, _ a: Int, _ b: Int) -> Int {
    let below = select(subtract(constant(high), x), a, b)
    return select(subtract(x, constant(low)), below, b)
  }

  mutating func hardSigmoid(_ x: Int) -> Int {
    clamp(multiplyAdd(x, constant(1.0 / 6), constant(0.5)), 0, 1)
  }

  /// 1 + exp(-x).
  mutating func logisticDenominator(_ x: Int) -> Int { add(constant(1), exp(scale(x, -1))) }
  mutating func sigmoid(_ x: Int) -> Int { divide(constant(1), logisticDenominator(x)) }
}
