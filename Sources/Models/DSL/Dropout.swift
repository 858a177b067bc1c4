import IR

/// In training mode x / (1 - rate) with probability 1 - rate, else 0 (Srivastava et al. 2014); in
/// evaluation mode x.
///
/// Masks follow the seed, the epoch, the image and the layer, so that a run has the same ones for
/// any number of threads and after an interruption. All passes of one step share them. In graphs
/// they read the inputs `ids` (i32 [N]) and `stream` (i32 [4], `RandomStream.operand`).
public struct Dropout: Module {
  public let rate: Double
  public var extendsFeature: Bool { true }

  public init(_ rate: Double = 0.5) { self.rate = rate }

  /// - Throws: ModelError where the rate is not in [0, 1).
  public func emit(_ x: ValueID, _ context: EmitContext) throws -> ValueID {
    guard (0..<1).contains(rate) else {
      throw ModelError("a dropout's rate must be in [0, 1), is \(rate)")
    }
    let layer = context.nextDropout()
    guard context.drawsDropouts, rate > 0 else { return x }
    let (ids, stream) = try Dropout.declareInputs(x, context)
    return try context.builder.emitOne(
      "dropout", [x, ids, stream], ["rate": .float(rate), "layer": .int(layer)])
  }

  /// The inputs that dropouts share, for a batch like `x`.
  @discardableResult
  static func declareInputs(
    _ x: ValueID, _ context: EmitContext
  ) throws -> (ids: ValueID, stream: ValueID) {
    let images = context.builder.type(x).shape[0]
    return (
      try context.builder.input("ids", .i32(images), .data),
      try context.builder.input("stream", .i32(4), .data)
    )
  }
}
