import IR
import Models

/// One step of CLAT: CE + lambda * L_C for the weights of the critical layers (Eq. 6).
///
/// Layers are given as indices in `Model.units`, which may be whole blocks.
public enum ClatGraph {
  /// Which images the cross entropy of Eq. 6 sees.
  public enum CrossEntropyInput: String, Sendable, CaseIterable {
    /// The clean ones, as the paper writes it.
    case clean
    /// Those that the inner maximisation (Eq. 5) has found, which move features, not the output.
    case adversarial
    /// The average of the two cross entropies.
    case both
    /// Those that the base method trains on, in the input `x_base`.
    case base
  }

  public struct Options: Sendable, Hashable {
    public var crossEntropy: CrossEntropyInput
    public var tap: FeatureTap
    /// Whether the clean features are held constant in the gradient of L_C.
    public var detachClean: Bool
    /// Whether the critical layers' batch norms train their affine parameters.
    public var trainsBatchNormAffine: Bool
    /// `eval` uses running statistics and leaves them alone, frozen bit for bit. `train` normalises
    /// by the batch in all batch norms, those of frozen layers too, and updates the running
    /// statistics by the clean images, then the adversarial ones, then `x_base`.
    public var batchNorm: BatchNormMode

    public init(
      crossEntropy: CrossEntropyInput = .clean, tap: FeatureTap = .activation,
      detachClean: Bool = false, trainsBatchNormAffine: Bool = false,
      batchNorm: BatchNormMode = .eval
    ) {
      self.crossEntropy = crossEntropy
      self.tap = tap
      self.detachClean = detachClean
      self.trainsBatchNormAffine = trainsBatchNormAffine
      self.batchNorm = batchNorm
    }
  }

  /// Inputs: those of `terms`, `lr` and `lambda` (f32 [1]), parameters, momentum, statistics.
  /// Outputs: those of `terms`, and new parameters, momentum and, in training mode, running
  /// statistics, each updating its input. With an attack, `x_adv` is an output instead of an input,
  /// and the inputs of `AttackGraph` come in; what the attack and the update both need of the clean
  /// images is computed once.
  ///
  /// Compile it with `request`, or every parameter trains.
  ///
  /// - Parameters:
  ///   - layers: the critical layers; at least one.
  ///   - attack: the inner maximisation (Eq. 5), whose result the update is to see.
  /// - Throws: IRError for an empty list, an unknown layer, constants that make no attack, or an
  ///   attack in another mode of batch norm than `eval` before an update in that.
  public static func build(
    _ model: Model, batch: Int, layers: [Int], _ options: Options = Options(),
    _ optimizer: SGDOptions = SGDOptions(), attack: Attack? = nil
  ) throws -> Graph {
    let builder = GraphBuilder(name: "clat")
    let emitter = ForwardEmitter(builder: builder, model: model, mode: options.batchNorm)
    let found = try attack.map {
      try maximize($0, model, batch, layers, options, builder)
    }
    let (entropy, feature) = try terms(
      emitter, model, batch, layers, options, adversarial: found, builder)
    let lambda = try builder.input("lambda", .f32(1), .data)
    let weighted = try builder.emitOne("multiply", [feature, lambda])
    try builder.descend(
      try builder.emitOne("add", [entropy, weighted]), model, optimizer)
    emitter.outputBufferUpdates()
    return builder.graph
  }

  /// The terms of the objective alone; nothing changes.
  ///
  /// Inputs: `x`, `x_adv` (f32 NHWC), `labels` (i32 [N]), for `CrossEntropyInput.base` also
  /// `x_base`. Outputs: `ce` and `feature` (f32 [1], the second without lambda); `correct` (i32
  /// [N], of the images of `options.crossEntropy`, for `both` the clean ones; then also
  /// `correct_adversarial`).
  public static func terms(
    _ model: Model, batch: Int, layers: [Int], _ options: Options = Options()
  ) throws -> Graph {
    let builder = GraphBuilder(name: "clat_terms")
    let emitter = ForwardEmitter(builder: builder, model: model, mode: options.batchNorm)
    _ = try terms(emitter, model, batch, layers, options, builder)
    return builder.graph
  }

  /// The attack on the critical features, and what it leaves.
  private static func maximize(
    _ attack: Attack, _ model: Model, _ batch: Int, _ layers: [Int], _ options: Options,
    _ builder: GraphBuilder
  ) throws -> ValueID {
    // Freezing, which asks for `eval`, holds for the whole graph.
    guard options.batchNorm == .train || attack.batchNorm == .eval else {
      throw IRError("an attack by batch statistics does not go with an update by running ones")
    }
    let next = try AttackGraph.emit(
      model, batch: batch, attack, .features(layers: layers, tap: options.tap), builder)
    builder.output("x_adv", next)
    return try builder.emitOne("after_loop", [next])
  }

  private static func terms(
    _ emitter: ForwardEmitter, _ model: Model, _ batch: Int, _ layers: [Int], _ options: Options,
    adversarial found: ValueID? = nil, _ builder: GraphBuilder
  ) throws -> (crossEntropy: ValueID, feature: ValueID) {
    let units = try model.units(at: layers)
    builder.header("batch", .int(batch))
    builder.header("mode", .string(options.batchNorm.rawValue))
    builder.describe(units, options.tap)
    func forward(_ name: String) throws -> Forward {
      try emitter(builder.images(name, model, batch))
    }
    let clean = try forward("x")
    let adversarial = try found.map { try emitter($0) } ?? forward("x_adv")
    let logits =
      switch options.crossEntropy {
      case .clean, .both: clean.logits
      case .adversarial: adversarial.logits
      case .base: try forward("x_base").logits
      }
    let entropy = try crossEntropy(
      logits, averagedWith: options.crossEntropy == .both ? adversarial.logits : nil,
      try builder.labels(batch), builder)
    let feature = try builder.meanFeatureDistance(
      adversarial.features(units, options.tap), clean.features(units, options.tap),
      detachClean: options.detachClean)
    builder.output("ce", entropy)
    builder.output("feature", feature)
    return (entropy, feature)
  }

  private static func crossEntropy(
    _ logits: ValueID, averagedWith other: ValueID?, _ labels: ValueID, _ builder: GraphBuilder
  ) throws -> ValueID {
    builder.output("correct", try builder.emitOne("correct", [logits, labels]))
    let entropy = try builder.meanCrossEntropy(logits, labels)
    guard let other else { return entropy }
    builder.output("correct_adversarial", try builder.emitOne("correct", [other, labels]))
    let second = try builder.meanCrossEntropy(other, labels)
    return try builder.emitOne(
      "scale", [builder.emitOne("add", [entropy, second])], ["factor": .float(0.5)])
  }
}

extension ClatGraph {
  /// The parameters that CLAT trains for a selection of layers: their weights and biases, all of a
  /// block's, on request with the affine ones of their batch norms.
  ///
  /// - Throws: IRError for an unknown layer.
  public static func trainable(
    _ model: Model, layers: [Int], _ options: Options = Options()
  ) throws -> Set<String> {
    var names = Set<String>()
    for unit in try model.units(at: layers) {
      for layer in unit.layers { names.formUnion([layer.weight] + (layer.bias.map { [$0] } ?? [])) }
      guard options.trainsBatchNormAffine else { continue }
      for norm in unit.norms { names.formUnion([norm.gamma, norm.beta]) }
    }
    return names
  }

  /// All tensors that a step may change: `trainable`, and the running statistics where batch norms
  /// are in training mode. Every other tensor keeps its bits.
  public static func changing(
    _ model: Model, layers: [Int], _ options: Options = Options()
  ) throws -> Set<String> {
    let trainable = try trainable(model, layers: layers, options)
    guard options.batchNorm == .train else { return trainable }
    return trainable.union(model.parameters.filter { !$0.isTrainable }.map(\.name))
  }

  /// The request that freezes everything but `trainable`.
  public static func request(
    _ model: Model, layers: [Int], _ options: Options = Options()
  ) throws -> CompileRequest {
    let trainable = try trainable(model, layers: layers, options)
    let all = Set(model.parameters.filter(\.isTrainable).map(\.name))
    return CompileRequest(
      freeze: all.subtracting(trainable), freezesBatchNorms: options.batchNorm == .eval)
  }
}
