import Datasets
import Engine
import Foundation
import IR
import Models
import Storage

/// Runs a recipe: the base method, then CLAT, under one schedule.
///
/// The same recipe, data and engine give the same bits, for any number of threads and however often
/// the run is interrupted.
public final class Trainer {
  /// How a run ended.
  public enum Outcome: Sendable, Equatable {
    case finished
    /// Asked to stop; a checkpoint has been written if there is a run directory.
    case interrupted
  }

  public let recipe: Recipe
  public let data: TrainingData
  public let session: ModelSession
  /// Gets metrics, log, selections and checkpoints; nil to keep nothing.
  public private(set) var directory: RunDirectory?
  /// What a user should know of the weights that the run starts from.
  public private(set) var weightNotes: [String] = []
  /// Called on the thread that trains.
  public var onEvent: (TrainerEvent) -> Void = { _ in }

  var state = TrainerState()
  /// The network as text, where it can be written: what a checkpoint brings to be evaluated by.
  public private(set) lazy var networkText = try? model.graph().graph.text
  /// The loader of the coming epoch, once the last batches of this one are trained on.
  private var loaderAhead: (epoch: Int, loader: BatchLoader)?

  /// A run from the recipe's weights.
  ///
  /// - Parameters:
  ///   - directory: gets metrics, log, selections and checkpoints; nil to keep nothing.
  ///   - resumes: whether `resume` follows, which reads the recipe's weights if it has to.
  /// - Throws: ModelError, IRError, RecipeError where recipe and data do not fit; StorageError for
  ///   weights that cannot be used.
  public init(
    _ recipe: Recipe, data: TrainingData, directory: RunDirectory? = nil, resumes: Bool = false
  ) throws {
    try recipe.check()
    self.recipe = recipe
    self.data = data
    self.directory = directory
    let model = try recipe.makeModel(for: data.train)
    session = try ModelSession(
      model, values: recipe.model.imported?.values ?? model.initialValues(seed: recipe.seed),
      threads: recipe.threads, convolution: recipe.convolution)
    if !resumes { try readWeights() }
    if recipe.clat.epochs > 0 {
      let selection = recipe.clat.selection
      if selection.rule == .fixed {
        _ = try selection.select(model, nil, seed: recipe.seed, draw: 0)
      } else {
        _ = try selection.resolvedCount(model)
      }
    }
    // Found out now rather than after an epoch: a plan that has no batch.
    _ = try plan(epoch: 0)
  }

  /// Keeps in a folder what the run brings from here on.
  public func keep(in directory: RunDirectory) { self.directory = directory }

  /// Starts from the weights that the recipe names, if it does.
  func readWeights() throws {
    guard let text = recipe.model.weights else { return }
    let source = WeightSource(text)
    weightNotes = try session.load(source.read(), part: source.part)
  }

  public var model: Model { session.model }
  /// The epoch that runs or comes next, from 0.
  public var epoch: Int { state.epoch }
  /// Indices of the critical layers; empty before CLAT.
  public var selectedLayers: [Int] { state.selected }
  /// All selections so far.
  public var selections: [SelectionRecord] { state.selections }

  /// Trains until the recipe's last epoch or until `shouldStop` says so, which is asked before
  /// every step and every batch of an evaluation.
  ///
  /// - Throws: IRError where the loss is no longer finite or a frozen tensor has changed;
  ///   StorageError where nothing can be written.
  public func run(shouldStop: () -> Bool = { false }) throws -> Outcome {
    while state.epoch < recipe.totalEpochs {
      guard try runEpoch(shouldStop) else {
        try saveCheckpoint()
        return .interrupted
      }
    }
    return .finished
  }

  func plan(epoch: Int) throws -> BatchPlan {
    let (count, size) = (data.train.count, recipe.optimizer.batchSize)
    guard let mixed = data.mixed else {
      return try BatchPlan.shuffled(
        count: count, batchSize: size, lastBatch: recipe.lastBatch, seed: recipe.seed, epoch: epoch)
    }
    return try BatchPlan.mixed(
      count: count, generated: mixed.count - count, fraction: recipe.data.extraFraction,
      batchSize: size, lastBatch: recipe.lastBatch, seed: recipe.seed, epoch: epoch)
  }

  /// False where the run was asked to stop.
  private func runEpoch(_ shouldStop: () -> Bool) throws -> Bool {
    let epoch = state.epoch
    let plan = try plan(epoch: epoch)
    if shouldStop() { return false }
    if state.step == 0, recipe.selects(beforeEpoch: epoch) { try selectLayers() }
    let clock = EpochClock(imagesDone: state.metrics.images)
    onEvent(
      .epochStarted(
        EpochStart(
          epoch: epoch, epochs: recipe.totalEpochs, phase: recipe.phase(epoch: epoch),
          steps: plan.batchCount, firstStep: state.step,
          learningRate: rate(state.step, plan.batchCount))))
    let loader = try takeLoader(plan)
    guard try trainSteps(plan, loader, clock, shouldStop) else { return false }
    let report = finishedReport(plan, loader, clock)
    onEvent(.epochFinished(report))
    if !state.selected.isEmpty, endsPeriod(epoch) { try checkFrozen() }
    guard let evaluation = try evaluateIfDue(shouldStop) else { return false }
    try finishEpoch(report, evaluation)
    return true
  }

  private func trainSteps(
    _ plan: BatchPlan, _ loader: BatchLoader, _ clock: EpochClock, _ shouldStop: () -> Bool
  ) throws -> Bool {
    while let batch = try loader.next() {
      if shouldStop() { return false }
      let rate = rate(state.step, plan.batchCount)
      try step(batch, learningRate: rate)
      state.step += 1
      onEvent(
        .stepDone(
          StepReport(
            epoch: state.epoch, step: state.step, steps: plan.batchCount, metrics: state.metrics,
            learningRate: rate, imagesPerSecond: clock.imagesPerSecond(state.metrics.images),
            seconds: clock.seconds, waitSeconds: loader.waitSeconds)))
      if state.step + 1 == plan.batchCount { try loadAhead() }
      let every = recipe.checkpoint.everySteps
      if every > 0, state.step % every == 0, state.step < plan.batchCount { try saveCheckpoint() }
    }
    return true
  }

  private func makeLoader(_ plan: BatchPlan, epoch: Int, startBatch: Int) throws -> BatchLoader {
    try BatchLoader(
      dataset: data.mixed ?? data.train, plan: plan,
      augmentation: recipe.data.augmentation(for: data.train), seed: recipe.seed, epoch: epoch,
      startBatch: startBatch)
  }

  private func takeLoader(_ plan: BatchPlan) throws -> BatchLoader {
    defer { loaderAhead = nil }
    if let (epoch, loader) = loaderAhead, epoch == state.epoch, state.step == 0 { return loader }
    return try makeLoader(plan, epoch: state.epoch, startBatch: state.step)
  }

  /// Starts on the next epoch's batches, so that its first step need not wait for them.
  private func loadAhead() throws {
    let next = state.epoch + 1
    guard next < recipe.totalEpochs else { return }
    loaderAhead = (next, try makeLoader(plan(epoch: next), epoch: next, startBatch: 0))
  }

  private func rate(_ step: Int, _ steps: Int) -> Double {
    recipe.learningRate(epoch: state.epoch, step: step, of: steps)
  }

  private func finishedReport(
    _ plan: BatchPlan, _ loader: BatchLoader, _ clock: EpochClock
  ) -> EpochReport {
    EpochReport(
      epoch: state.epoch, phase: recipe.phase(epoch: state.epoch), metrics: state.metrics,
      learningRate: rate(max(0, plan.batchCount - 1), plan.batchCount),
      imagesPerSecond: clock.imagesPerSecond(state.metrics.images), seconds: clock.seconds,
      waitSeconds: loader.waitSeconds)
  }

  private func endsPeriod(_ epoch: Int) -> Bool {
    epoch + 1 == recipe.totalEpochs || recipe.selects(beforeEpoch: epoch + 1)
  }
}

/// Time since this process entered an epoch.
struct EpochClock {
  let imagesDone: Int
  private let start = ContinuousClock.now

  init(imagesDone: Int) {
    self.imagesDone = imagesDone
  }

  var seconds: Double { (ContinuousClock.now - start) / .seconds(1) }

  func imagesPerSecond(_ images: Int) -> Double {
    Double(images - imagesDone) / max(seconds, 1e-9)
  }
}
