import Datasets
import Engine
import IR
import Models

extension Trainer {
  /// Attacks a batch as the phase asks, and takes one optimiser step on it.
  func step(_ batch: Batch, learningRate: Double) throws {
    try session.load(batch)
    try session.setScalar("lr", learningRate)
    try session.setStream(attackStream)
    switch recipe.phase(epoch: state.epoch) {
    case .standard: try supervised(batch.count, images: "x")
    case .pgdAT:
      try session.attack(recipe.attack, batch: batch.count, stream: attackStream)
      try supervised(batch.count, images: "x_adv")
    case .clat: try critical(batch.count)
    }
  }

  private var attackStream: RandomStream {
    RandomStream(seed: recipe.seed, epoch: state.epoch, purpose: .attackStart)
  }

  private func supervised(_ count: Int, images: String) throws {
    let program = try session.program(
      .training(recipe.optimizer.sgd, images: images), batch: count)
    program.run()
    let loss = Double(try program.floats("loss")[0])
    try record(count, loss: loss, crossEntropy: loss, feature: 0, program)
  }

  /// The inner maximisation and the step on Eq. 6, in one program.
  private func critical(_ count: Int) throws {
    try attackForCrossEntropy(count, attackStream)
    try session.setScalar("lambda", state.lambda)
    let program = try session.program(clatStep(state.selected), batch: count)
    program.run()
    let entropy = Double(try program.floats("ce")[0])
    let feature = Double(try program.floats("feature")[0])
    try record(
      count, loss: entropy + state.lambda * feature, crossEntropy: entropy, feature: feature,
      program)
  }

  /// Makes the images that CLAT's objective reads: `x_adv` by the inner maximisation (Eq. 5), and
  /// where the base method's loss is wanted `x_base` by its own attack, just as it trains on them.
  func attackForClat(_ count: Int, _ stream: RandomStream) throws {
    try session.attack(
      innerAttack, .features(layers: state.selected, tap: recipe.clat.tap), batch: count,
      stream: stream)
    try attackForCrossEntropy(count, stream)
  }

  private func attackForCrossEntropy(_ count: Int, _ stream: RandomStream) throws {
    guard recipe.clatGraphOptions.crossEntropy == .base else { return }
    try session.attack(recipe.attack, batch: count, stream: stream, into: "x_base")
  }

  /// The program of a step for critical layers.
  func clatStep(_ layers: [Int]) -> ProgramKey {
    .clat(layers: layers, recipe.clatGraphOptions, recipe.optimizer.sgd, attack: innerAttack)
  }

  var innerAttack: Attack {
    var attack = recipe.clat.fast ? recipe.attack.fast : recipe.attack
    // Where the update uses running statistics, what it is attacked by does, too.
    if recipe.clat.batchNorm == .eval { attack.batchNorm = .eval }
    // At the clean image the gradient of a feature distance is zero.
    attack.start = .random
    return attack
  }

  private func record(
    _ count: Int, loss: Double, crossEntropy: Double, feature: Double, _ program: Executable
  ) throws {
    guard loss.isFinite else {
      throw IRError(
        "the loss is \(loss) in epoch \(state.epoch), step \(state.step): "
          + "a smaller learning rate may help")
    }
    let weight = Double(count)
    state.metrics.images += count
    state.metrics.loss += weight * loss
    state.metrics.crossEntropy += weight * crossEntropy
    state.metrics.feature += weight * feature
    state.metrics.lambda = state.lambda
    state.metrics.correct += try program.integers("correct").count { $0 != 0 }
  }
}
