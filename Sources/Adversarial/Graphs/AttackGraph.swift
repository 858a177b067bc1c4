import IR
import Models

/// A whole attack as one graph: start, gradient, sign step and projection in a loop.
public enum AttackGraph {
  /// Inputs: `x` (f32 NHWC), and as they are needed `labels` (i32 [N]), `ids` (i32 [N]), `stream`
  /// (i32 [4], `RandomStream.operand`) and `start` (like `x`). Output: `x_adv`, like `x`.
  ///
  /// Clean features of a feature objective do not depend on the perturbation and are computed once.
  ///
  /// - Parameter batch: images, at least 1.
  /// - Throws: IRError for constants that make no attack and for unknown layers.
  public static func build(
    _ model: Model, batch: Int, _ attack: Attack, _ objective: AttackObjective = .crossEntropy
  ) throws -> Graph {
    let builder = GraphBuilder(name: "attack")
    builder.header("batch", .int(batch))
    builder.header("mode", .string(attack.batchNorm.rawValue))
    builder.output("x_adv", try emit(model, batch: batch, attack, objective, builder))
    return builder.graph
  }

  /// Adds an attack, which is the graph's loop.
  ///
  /// - Returns: the images after a step; after the last one, the attack's result.
  static func emit(
    _ model: Model, batch: Int, _ attack: Attack, _ objective: AttackObjective,
    _ builder: GraphBuilder
  ) throws -> ValueID {
    try attack.check()
    let x = try builder.images("x", model, batch)
    let initial = try start(attack, x, model, batch, builder)
    let moving = try builder.images("x_adv", model, batch, .carried)
    let loss = try loss(objective, attack, x: x, moving: moving, model, batch, builder)
    let gradient = try builder.emitOne("gradient", [loss, moving])
    let next = try builder.emitOne(
      "sign_step", [moving, gradient, x],
      box(attack).merging(["step": .float(attack.step.value)]))
    builder.loop(steps: attack.steps, carry: moving, initial: initial, next: next)
    return next
  }

  private static func box(_ attack: Attack) -> Attributes {
    [
      "eps": .float(attack.eps.value), "low": .float(attack.low), "high": .float(attack.high),
    ]
  }

  private static func start(
    _ attack: Attack, _ x: ValueID, _ model: Model, _ batch: Int, _ builder: GraphBuilder
  ) throws -> ValueID {
    switch attack.start {
    case .clean: return x
    case .given: return try builder.images("start", model, batch)
    case .random:
      let ids = try builder.input("ids", .i32(batch), .data)
      let stream = try builder.input("stream", .i32(4), .data)
      return try builder.emitOne("random_start", [x, ids, stream], box(attack))
    }
  }

  private static func loss(
    _ objective: AttackObjective, _ attack: Attack, x: ValueID, moving: ValueID, _ model: Model,
    _ batch: Int, _ builder: GraphBuilder
  ) throws -> ValueID {
    func forward(_ images: ValueID) throws -> Forward {
      try ForwardEmitter(builder: builder, model: model, mode: attack.batchNorm)(images)
    }
    switch objective {
    case .crossEntropy:
      return try builder.meanCrossEntropy(forward(moving).logits, builder.labels(batch))
    case .features(let layers, let tap):
      let units = try model.units(at: layers)
      builder.describe(units, tap)
      let clean = try forward(x).features(units, tap)
      return try builder.meanFeatureDistance(forward(moving).features(units, tap), clean)
    }
  }
}
