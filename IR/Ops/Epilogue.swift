/// Element-wise work done on a result while it is still in registers, in this order: times scale,
/// plus shift, plus residual, then ReLU (and its bits) or selection by bits, and after the selection
/// plus sum.
///
/// Written as a list in the attribute `epilogue`, for example `"shift+residual+relu+bits"`. Each of
/// scale, shift, residual, mask and sum takes one more operand, in this order; bits is one more result.
public struct Epilogue: OptionSet, Sendable, Hashable {
  public let rawValue: Int
  public init(rawValue: Int) { self.rawValue = rawValue }

  public static let scale = Epilogue(rawValue: 1)
  public static let shift = Epilogue(rawValue: 2)
  public static let residual = Epilogue(rawValue: 4)
  public static let relu = Epilogue(rawValue: 8)
  /// ReLU's sign bits, kept for the backward pass.
  public static let bits = Epilogue(rawValue: 16)
  /// Zero where a bit is clear: ReLU's backward pass.
  public static let mask = Epilogue(rawValue: 32)
  /// What is added to the selected: the gradient that has arrived on other ways.
  public static let sum = Epilogue(rawValue: 64)

  private static let names: [(Epilogue, String)] = [
    (.scale, "scale"), (.shift, "shift"), (.residual, "residual"), (.relu, "relu"),
    (.bits, "bits"), (.mask, "mask"), (.sum, "sum"),
  ]

  public init(_ text: String) throws {
    var result: Epilogue = []
    for part in text.split(separator: "+") {
      guard let known = Epilogue.names.first(where: { $0.1 == part }) else {
        throw IRError(
          "unknown epilogue '\(part)'; known: \(Epilogue.names.map(\.1).joined(separator: ", "))")
      }
      result.insert(known.0)
    }
    guard !(result.contains(.mask) && result.contains(.relu)) else {
      throw IRError("an epilogue has relu or mask, not both")
    }
    guard !result.contains(.bits) || result.contains(.relu) else {
      throw IRError("an epilogue with bits needs relu")
    }
    guard !result.contains(.sum) || (result.contains(.mask) && !result.contains(.residual)) else {
      throw IRError("an epilogue with sum needs mask, and no residual")
    }
    self = result
  }

  public var text: String {
    Epilogue.names.filter { contains($0.0) }.map(\.1).joined(separator: "+")
  }

  public var attribute: Attribute { .string(text) }

  /// The epilogue of a node; empty where it has none.
  public static func of(_ attributes: Attributes) throws -> Epilogue {
    try Epilogue(attributes.string("epilogue"))
  }

  static let spec = AttributeSpec("epilogue", .string, default: .string(""))

  private static let withOperand: [Epilogue] = [.scale, .shift, .residual, .mask, .sum]

  public var operandCount: Int { Epilogue.withOperand.filter(contains).count }

  /// The index of the operand of `part` where the epilogue's operands begin at `base`.
  public func operandIndex(_ part: Epilogue, base: Int) -> Int? {
    guard contains(part), let place = Epilogue.withOperand.firstIndex(of: part) else { return nil }
    return base + Epilogue.withOperand[..<place].filter(contains).count
  }

  /// Checks the epilogue's operands, which begin at `base` and which `more` follow, for a result of
  /// `type`.
  func check(_ types: OpTypes, base: Int, more: Int = 0, type: TensorType) throws {
    try types.expectCount(base + operandCount + more)
    let vector = TensorType(.f32, [type.channels])
    for (part, what) in [(Epilogue.scale, "scale"), (.shift, "shift")] {
      if let index = operandIndex(part, base: base) { try types.expect(index, vector, what) }
    }
    for (part, what) in [(Epilogue.residual, "residual"), (.sum, "sum")] {
      if let index = operandIndex(part, base: base) { try types.expect(index, type, what) }
    }
    if let index = operandIndex(.mask, base: base) {
      try types.expect(index, TensorType(.bits, type.shape), "mask")
    }
  }

  /// The epilogue's results after the main one.
  func extraResults(_ type: TensorType) -> [TensorType] {
    contains(.bits) ? [TensorType(.bits, type.shape)] : []
  }

  /// Applies the epilogue to `y` (reference); returns y and, with `bits`, the bits.
  func apply(_ y: [Double], _ call: OpInvocation, base: Int) -> [[Double]] {
    let channels = call.resultTypes[0].channels
    func operand(_ part: Epilogue) -> [Double]? {
      operandIndex(part, base: base).map { call[$0] }
    }
    var y = y
    if let scale = operand(.scale) { for i in y.indices { y[i] *= scale[i % channels] } }
    if let shift = operand(.shift) { for i in y.indices { y[i] += shift[i % channels] } }
    if let residual = operand(.residual) { for i in y.indices { y[i] += residual[i] } }
    if let mask = operand(.mask) { for i in y.indices where mask[i] == 0 { y[i] = 0 } }
    if let sum = operand(.sum) { for i in y.indices { y[i] += sum[i] } }
    guard contains(.relu) else { return [y] }
    let bits = y.map { $0 > 0 ? 1.0 : 0.0 }
    for i in y.indices where bits[i] == 0 { y[i] = 0 }
    return contains(.bits) ? [y, bits] : [y]
  }
}
