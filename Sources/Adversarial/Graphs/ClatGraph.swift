import IR
import Models

/// One step of CLAT: CE + lambda * L_C for the weights of the critical layers (Eq. 6).
public enum ClatGraph {
  /// Which images the cross entropy of Eq. 6 sees.
  public enum CrossEntropyInput: String, Sendable, CaseIterable {
    /// The clean ones, as the paper writes it.
    case clean
    case adversarial
    /// The average of the two cross entropies.
    case both
  }

  public struct Options: Sendable, Hashable {
    public var crossEntropy: CrossEntropyInput
    public var tap: FeatureTap
    /// Whether the clean features are held constant in the gradient of L_C.
    public var detachClean: Bool
    /// Whether the batch norms of the critical convolutions train their affine parameters. Running
    /// statistics are used, and left alone, either way.
    public var trainsBatchNormAffine: Bool

    public init(
      crossEntropy: CrossEntropyInput = .clean, tap: FeatureTap = .activation,
      detachClean: Bool = false, trainsBatchNormAffine: Bool = false
    ) {
      self.crossEntropy = crossEntropy
      self.tap = tap
      self.detachClean = detachClean
      self.trainsBatchNormAffine = trainsBatchNormAffine
    }
  }

  /// Inputs: `x`, `x_adv` (f32 NHWC), `labels` (i32 [N]), `lr` and `lambda` (f32 [1]), parameters
  /// and momentum. Outputs: new parameters and momentum, each updating its input; `ce` and
  /// `feature` (f32 [1], the two terms, the second without lambda); `correct` (i32 [N], of the
  /// images of `options.crossEntropy`, for `both` the clean ones; then also
  /// `correct_adversarial`).
  ///
  /// Compile it with `request`, or every parameter trains.
  ///
  /// - Parameter layers: the critical layers, indices in `Model.layers`; at least one.
  /// - Throws: IRError for an empty list or an unknown layer.
  public static func build(
    _ model: Model, batch: Int, layers: [Int], _ options: Options = Options(),
    _ optimizer: SGDOptions = SGDOptions()
  ) throws -> Graph {
    let builder = GraphBuilder(name: "clat")
    builder.header("batch", .int(batch))
    builder.header("layers", .ints(layers))
    builder.header("tap", .string(options.tap.rawValue))
    let x = try builder.images("x", model, batch)
    let moved = try builder.images("x_adv", model, batch)
    let emitter = ForwardEmitter(builder: builder, model: model, mode: .eval)
    let (clean, adversarial) = (try emitter(x), try emitter(moved))
    let entropy = try crossEntropy(
      options.crossEntropy, clean.logits, adversarial.logits, try builder.labels(batch), builder)
    let feature = try builder.meanFeatureDistance(
      adversarial.features(layers, options.tap), clean.features(layers, options.tap),
      detachClean: options.detachClean)
    let lambda = try builder.input("lambda", .f32(1), .data)
    let weighted = try builder.emitOne("multiply", [feature, lambda])
    let loss = try builder.emitOne("add", [entropy, weighted])
    builder.output("ce", entropy)
    builder.output("feature", feature)
    try builder.descend(loss, model, optimizer)
    return builder.graph
  }

  private static func crossEntropy(
    _ input: CrossEntropyInput, _ clean: ValueID, _ adversarial: ValueID, _ labels: ValueID,
    _ builder: GraphBuilder
  ) throws -> ValueID {
    let first = input == .adversarial ? adversarial : clean
    builder.output("correct", try builder.emitOne("correct", [first, labels]))
    let entropy = try builder.meanCrossEntropy(first, labels)
    guard input == .both else { return entropy }
    builder.output(
      "correct_adversarial", try builder.emitOne("correct", [adversarial, labels]))
    let other = try builder.meanCrossEntropy(adversarial, labels)
    return try builder.emitOne(
      "scale", [builder.emitOne("add", [entropy, other])], ["factor": .float(0.5)])
  }

  /// The parameters that CLAT trains for a selection of layers: their weights and biases, on
  /// request with their batch norm's affine ones.
  ///
  /// - Throws: IRError for an unknown layer.
  public static func trainable(
    _ model: Model, layers: [Int], _ options: Options = Options()
  ) throws -> Set<String> {
    var names = Set<String>()
    for index in layers {
      guard model.layers.indices.contains(index) else {
        throw IRError("layer \(index): the model has layers 0...\(model.layers.count - 1)")
      }
      let layer = model.layers[index]
      names.formUnion([layer.weight] + (layer.bias.map { [$0] } ?? []))
      if options.trainsBatchNormAffine, let norm = layer.norm {
        names.formUnion([norm.gamma, norm.beta])
      }
    }
    return names
  }

  /// The request that freezes everything but `trainable`.
  public static func request(
    _ model: Model, layers: [Int], _ options: Options = Options()
  ) throws -> CompileRequest {
    let trainable = try trainable(model, layers: layers, options)
    let all = Set(model.parameters.filter(\.isTrainable).map(\.name))
    return CompileRequest(freeze: all.subtracting(trainable))
  }
}
