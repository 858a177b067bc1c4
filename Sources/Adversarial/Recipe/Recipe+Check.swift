import Datasets
import IR
import Models

extension Recipe {
  /// Checks what does not depend on the data.
  ///
  /// - Throws: RecipeError naming the key.
  public func check() throws {
    func require(_ isGood: Bool, _ key: String, _ problem: String) throws {
      if !isGood { throw RecipeError("\(key): \(problem)") }
    }
    if !ImportedNetwork.isFile(model.name) {
      do { _ = try ModelSpec(model.name) } catch { throw RecipeError("model.name: \(error)") }
    }
    try require((model.mean == nil) == (model.std == nil), "model", "mean and std go together")
    try require(
      model.mean?.count == model.std?.count, "model", "mean and std must have the same length")
    try require(model.std?.allSatisfy { $0 > 0 } ?? true, "model.std", "must be above 0")
    try require(threads >= 0, "threads", "must be at least 0, is \(threads)")
    try require(data.limit ?? 1 > 0, "data.limit", "must be at least 1")
    try require(data.validation >= 0, "data.validation", "must be at least 0")
    try require(
      data.leastArea.map { $0 > 0 && $0 <= 1 } ?? true, "data.least_area", "must be in (0, 1]")
    try require(
      (0...1).contains(data.extraFraction), "data.extra_fraction",
      "must be from 0 to 1, is \(data.extraFraction)")
    try require(base.epochs >= 0, "base.epochs", "must be at least 0, is \(base.epochs)")
    try require(totalEpochs > 0, "base.epochs", "with clat.epochs 0 there is nothing to train")
    try require(totalEpochs <= 1_000_000, "base.epochs", "at most 1000000 epochs in all")
    for (section, attack) in [("attack", attack), ("evaluation", evaluation.attack)] {
      try require(
        (1...100_000).contains(attack.steps), "\(section).steps",
        "must be from 1 to 100000, is \(attack.steps)")
    }
    try require(evaluation.restarts > 0, "evaluation.restarts", "must be at least 1")
    try require(evaluation.count ?? 1 > 0, "evaluation.count", "must be at least 1")
    try require(evaluation.every >= 0, "evaluation.every", "must be at least 0")
    try require(
      evaluation.split == .test || data.validation > 0, "evaluation.split",
      "validation needs data.validation above 0")
    try require(checkpoint.keep > 0, "checkpoint.keep", "must be at least 1")
    try require(
      checkpoint.everyEpochs >= 0 && checkpoint.everySteps >= 0, "checkpoint",
      "every_epochs and every_steps must be at least 0")
    try checkOptimizer(require)
    if clat.epochs != 0 { try checkClat(require) }
  }

  private func checkOptimizer(_ require: (Bool, String, String) throws -> Void) throws {
    let o = optimizer
    try require(o.lr >= 0, "optimizer.lr", "must be at least 0, is \(o.lr)")
    try require((0..<1).contains(o.momentum), "optimizer.momentum", "must be in 0..<1")
    try require(o.weightDecay >= 0, "optimizer.weight_decay", "must be at least 0")
    let sizes = 1...BatchPlan.maximumBatchSize
    try require(
      sizes.contains(o.batchSize), "optimizer.batch_size",
      "must be from 1 to \(sizes.upperBound), is \(o.batchSize)")
    try require(
      o.schedule != .piecewise || !o.milestones.isEmpty, "optimizer.milestones",
      "piecewise needs the epochs at which the rate falls")
    try require(
      zip(o.milestones, o.milestones.dropFirst()).allSatisfy(<), "optimizer.milestones",
      "must rise, are \(o.milestones)")
  }

  private func checkClat(_ require: (Bool, String, String) throws -> Void) throws {
    try require(clat.epochs > 0, "clat.epochs", "must be at least 0, is \(clat.epochs)")
    try require(clat.period > 0, "clat.period", "must be at least 1, is \(clat.period)")
    try require(clat.criticalityBatch > 0, "clat.criticality_batch", "must be at least 1")
    let selection = clat.selection
    try require(selection.count ?? 1 > 0, "clat.k", "must be at least 1")
    try require(
      selection.fraction.map { $0 > 0 && $0 <= 1 } ?? true, "clat.fraction", "must be in (0, 1]")
    try require(
      selection.count == nil || selection.fraction == nil, "clat",
      "k and fraction exclude each other")
    try require(
      (selection.rule == .fixed) == !selection.layers.isEmpty, "clat.layers",
      selection.rule == .fixed
        ? "selection fixed needs a list of layers" : "only selection fixed takes a list of layers")
    try require(
      clat.candidates.names.isEmpty || clat.candidates == LayerSet(names: clat.candidates.names),
      "clat.candidates", "names stand instead of unit, include_shortcuts and include_linear")
    try require(
      clat.crossEntropy != .base || base.method != .none, "clat.ce",
      "base needs a base.method other than none; with base.epochs 0 it trains nothing before CLAT")
  }

  /// The model for images of a data set, with the units that CLAT selects from.
  ///
  /// - Throws: ModelError where the two do not fit, RecipeError for candidates that it has not.
  public func makeModel(for dataset: Dataset) throws -> Model {
    let network = try network(for: dataset)
    guard clat.epochs > 0 else { return network }
    do {
      return try network.counting(clat.candidates)
    } catch let error as ModelError {
      throw RecipeError("clat.candidates: \(error.message)")
    }
  }

  private func network(for dataset: Dataset) throws -> Model {
    let shape = dataset.shape
    let (image, classes) = ((shape.height, shape.width, shape.channels), dataset.classes.count)
    if let imported = model.imported {
      return try imported.model(
        named: model.name, image: image, classes: classes, mean: model.mean, std: model.std)
    }
    guard !ImportedNetwork.isFile(model.name) else {
      throw RecipeError("model.name: the network of the file '\(model.name)' is not given")
    }
    return try Model(
      ModelSpec(model.name), imageShape: image, classes: classes, mean: model.mean, std: model.std)
  }
}
