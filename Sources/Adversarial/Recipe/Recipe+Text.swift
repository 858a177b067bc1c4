import IR
import Models

extension Recipe {
  /// Reads a recipe; what it does not say has its default.
  ///
  /// - Parameters:
  ///   - file: named in errors.
  ///   - overrides: `path.to.key=value` each, applied in order before anything is read.
  /// - Throws: RecipeError: one line with the place, the key, what was expected and what was found.
  public static func parse(
    _ text: String, file: String = "recipe.yaml", overrides: [String] = []
  ) throws -> Recipe {
    var node = try RecipeNode.parse(text) { "\(file):\($0)" }
    if node.isNull { node = RecipeNode(content: .map([]), place: "\(file):1") }
    for override in overrides { try node.apply(override) }
    var recipe = Recipe()
    var reader = try RecipeReader(node)
    try recipe.visit(&reader)
    try reader.finish()
    do {
      try recipe.check()
    } catch let error as RecipeError {
      throw RecipeError("\(file): \(error.message)")
    }
    return recipe
  }

  /// The recipe as YAML with every value explicit; parses to an equal recipe.
  public var text: String {
    var writer = RecipeWriter()
    var copy = self
    try? copy.visit(&writer)
    return writer.text
  }

  mutating func visit(_ visitor: inout some RecipeVisitor) throws {
    try visitor.value("seed", &seed)
    try visitor.value("threads", &threads)
    try visitor.choice("convolution", &convolution)
    try visitor.choice("last_batch", &lastBatch)
    try visitor.section("model") { visitor in
      try visitor.value("name", &model.name)
      try visitor.value("mean", &model.mean)
      try visitor.value("std", &model.std)
      try visitor.value("weights", &model.weights)
    }
    try visitor.section("data") { visitor in
      try visitor.value("source", &data.source)
      try visitor.choice("augmentation", &data.augmentation)
      try visitor.value("least_area", &data.leastArea)
      try visitor.value("image_size", &data.load.imageSize)
      try visitor.value("resize", &data.load.resize)
      try visitor.choice("damaged", &data.load.damaged)
      try visitor.value("test_images", &data.load.testImages)
      try visitor.value("extra", &data.extra)
      try visitor.value("extra_fraction", &data.extraFraction)
      try visitor.value("limit", &data.limit)
      try visitor.value("validation", &data.validation)
    }
    try visitor.section("base") { visitor in
      try visitor.choice("method", &base.method)
      try visitor.value("epochs", &base.epochs)
    }
    try visitor.section("clat") { try visitClat(&$0) }
    try visitor.section("attack") { visitor in
      try attack.visit(&visitor)
      try visitor.choice("batch_norm", &attack.batchNorm)
    }
    try visitor.section("optimizer") { try visitOptimizer(&$0) }
    try visitor.section("evaluation") { visitor in
      try evaluation.attack.visit(&visitor)
      try visitor.value("restarts", &evaluation.restarts)
      try visitor.choice("split", &evaluation.split)
      try visitor.value("count", &evaluation.count)
      try visitor.value("every", &evaluation.every)
    }
    try visitor.section("checkpoint") { visitor in
      try visitor.value("every_epochs", &checkpoint.everyEpochs)
      try visitor.value("every_steps", &checkpoint.everySteps)
      try visitor.value("keep", &checkpoint.keep)
    }
  }

  private mutating func visitClat(_ visitor: inout some RecipeVisitor) throws {
    try visitor.value("epochs", &clat.epochs)
    try visitor.choice("unit", &clat.candidates.unit)
    try visitor.value("include_shortcuts", &clat.candidates.includesShortcuts)
    try visitor.value("include_linear", &clat.candidates.includesLinear)
    try visitor.value("candidates", &clat.candidates.names)
    try visitor.choice("selection", &clat.selection.rule)
    try visitor.value("k", &clat.selection.count)
    try visitor.value("fraction", &clat.selection.fraction)
    try visitor.value("layers", &clat.selection.layers)
    try visitor.value("dynamic", &clat.dynamic)
    try visitor.value("period", &clat.period)
    try visitor.choice("tap", &clat.tap)
    try visitor.choice("normalization", &clat.normalization)
    try visitor.choice("first_layer", &clat.firstLayer)
    try visitor.value("criticality_batch", &clat.criticalityBatch)
    try visitor.value("detach", &clat.detach)
    try visitor.choice("ce", &clat.crossEntropy)
    try visitor.value("lambda", &clat.lambda)
    try visitor.value("batchnorm_affine", &clat.trainsBatchNormAffine)
    try visitor.choice("batch_norm", &clat.batchNorm)
    try visitor.value("reset_momentum", &clat.resetsMomentum)
    try visitor.value("fast", &clat.fast)
  }

  private mutating func visitOptimizer(_ visitor: inout some RecipeVisitor) throws {
    try visitor.value("lr", &optimizer.lr)
    try visitor.choice("schedule", &optimizer.schedule)
    try visitor.value("milestones", &optimizer.milestones)
    try visitor.value("decay", &optimizer.decay)
    try visitor.choice("lr_per", &optimizer.lrPer)
    try visitor.value("momentum", &optimizer.momentum)
    try visitor.value("weight_decay", &optimizer.weightDecay)
    try visitor.value("batch_size", &optimizer.batchSize)
  }
}

extension BatchNormMode: CaseIterable {
  public static var allCases: [BatchNormMode] { [.train, .eval] }
}

extension Attack {
  mutating func visit(_ visitor: inout some RecipeVisitor) throws {
    try visitor.distance("eps", &eps)
    try visitor.distance("step", &step)
    try visitor.value("steps", &steps)
    var isRandom = start == .random
    try visitor.value("random_start", &isRandom)
    start = isRandom ? .random : .clean
  }
}
