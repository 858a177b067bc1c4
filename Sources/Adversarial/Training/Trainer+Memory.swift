import Datasets
import Engine
import IR
import Models

extension Trainer {
  /// What the run keeps in memory at most: in the phase of the base method or in that of CLAT.
  ///
  /// Which layers will be selected is not known before; the first and the last ones are planned
  /// for, and what needs more counts.
  ///
  /// - Parameter batch: images in a batch instead of the recipe's.
  public func footprint(batch: Int? = nil) throws -> MemoryFootprint {
    let batch = batch ?? recipe.optimizer.batchSize
    // Validation images share the memory of the training split.
    let images = [data.mixed ?? data.train, data.test]
    let others = [
      MemoryFootprint.Part("data set", bytes: images.reduce(0) { $0 + $1.residentBytes }),
      MemoryFootprint.Part(
        "batches ahead", bytes: 2 * BatchLoader.bytes(shape: data.train.shape, batchSize: batch)),
    ]
    return try phases(batch).map { try session.footprint($0, others: others) }
      .max { $0.bytes < $1.bytes } ?? MemoryFootprint([], others: others)
  }

  /// The programs that are kept at once.
  private func phases(_ batch: Int) throws -> [[ModelSession.Need]] {
    let sizes = ModelSession.sizes(
      data.train.count, batch, keepsRest: recipe.lastBatch == .keep)
    func needs(_ keys: [ProgramKey]) -> [ModelSession.Need] {
      sizes.flatMap { size in keys.map { ModelSession.Need(key: $0, batch: size) } }
    }
    let attack = ProgramKey.attack(recipe.attack, .crossEntropy)
    let sgd = recipe.optimizer.sgd
    let base =
      switch recipe.base.method {
      case _ where recipe.baseEpochs == 0: needs([])
      case .pgdAT: needs([attack, .training(sgd, images: "x_adv")])
      case .standard: needs([.training(sgd, images: "x")])
      case .none: needs([])
      }
    let evaluation = evaluationNeeds(batch)
    guard recipe.clat.epochs > 0 else { return [base + evaluation] }
    let kept = recipe.baseEpochs > 0 && recipe.base.method == .pgdAT ? needs([attack]) : []
    let options = recipe.clatGraphOptions
    let again = options.crossEntropy == .base ? needs([attack]) : []
    let clat = try candidates().map { layers in
      kept + evaluation + criticalityNeeds(batch) + again + needs([clatStep(layers)])
        + lambdaNeeds(batch, layers)
    }
    return [base + evaluation] + clat
  }

  private func evaluationNeeds(_ batch: Int) -> [ModelSession.Need] {
    let options = recipe.evaluation
    let images = options.split == .validation ? data.validation ?? data.test : data.test
    let count = min(options.count ?? images.count, images.count)
    return Evaluation.needs(
      count: count,
      Evaluation.Options(attack: options.attack, batchSize: min(batch, count)))
  }

  private func criticalityNeeds(_ batch: Int) -> [ModelSession.Need] {
    let rule = recipe.clat.selection.rule
    guard rule == .largest || rule == .smallest else { return [] }
    var attack = recipe.attack
    attack.batchNorm = .eval
    let count = min(recipe.clat.criticalityBatch, data.train.count)
    let relative = recipe.clat.normalization == .relative
    return ModelSession.sizes(count, min(batch, count)).flatMap { size in
      [.attack(attack, .crossEntropy), .criticality(recipe.clat.tap, norms: relative)].map {
        ModelSession.Need(key: $0, batch: size)
      }
    }
  }

  /// What the automatic lambda is found with.
  private func lambdaNeeds(_ batch: Int, _ layers: [Int]) -> [ModelSession.Need] {
    guard case .auto = recipe.clat.lambda else { return [] }
    let options = recipe.clatGraphOptions
    let count = min(recipe.clat.criticalityBatch, data.train.count)
    return ModelSession.sizes(count, min(batch, count)).flatMap { size in
      [
        .attack(innerAttack, .features(layers: layers, tap: options.tap)),
        .clatTerms(layers: layers, options),
      ].map { ModelSession.Need(key: $0, batch: size) }
    }
  }

  /// Layers that CLAT may come to train.
  private func candidates() throws -> [[Int]] {
    let selection = recipe.clat.selection
    if selection.rule == .fixed {
      return [try selection.select(model, nil, seed: recipe.seed, draw: 0)]
    }
    let count = try selection.resolvedCount(model)
    let all = Array(model.units.indices)
    return [Array(all.prefix(count)), Array(all.suffix(count))]
  }
}
