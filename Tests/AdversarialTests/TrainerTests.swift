import Datasets
import Foundation
import IR
import Storage
import Testing

@testable import Adversarial

/// Two epochs of PGD-AT and four of CLAT on 330 digits: three full batches and a tail of 30.
private let recipeText = """
  seed: 11
  model: {name: "small-cnn:width=4"}
  data: {source: digits, limit: 330}
  base: {method: pgd-at, epochs: 2}
  clat: {epochs: 4, k: 1, period: 2, criticality_batch: 64, first_layer: input}
  attack: {eps: 0.1, step: 0.04, steps: 3}
  optimizer: {batch_size: 100, lr: 0.05}
  evaluation: {eps: 0.1, step: 0.04, steps: 3, count: 50, every: 3}
  """

private func trainer(
  _ overrides: [String] = [], directory: RunDirectory? = nil
) throws -> Trainer {
  let recipe = try Recipe.parse(recipeText, overrides: overrides)
  return try Trainer(recipe, data: TrainingData.load(recipe.data), directory: directory)
}

private final class TemporaryFolder {
  let path = NSTemporaryDirectory() + "clat-trainer-" + UUID().uuidString
  deinit { try? FileManager.default.removeItem(atPath: path) }
}

@Suite struct TrainerTests {
  @Test func runsBothPhasesAndTrainsOnlyTheCriticalLayers() throws {
    let trainer = try trainer()
    var phases: [Recipe.Phase] = []
    var steps = 0
    var evaluations: [EvaluationRecord] = []
    var before: [String: [Float]] = [:]
    var moved: [Set<String>] = []
    func values() throws -> [String: [Float]] {
      Dictionary(
        uniqueKeysWithValues: try trainer.session.storedTensors().map {
          ($0.name, try $0.floats())
        })
    }
    var failure: (any Error)?
    trainer.onEvent = { event in
      do {
        switch event {
        case .selected: before = try values()
        case .stepDone: steps += 1
        case .evaluated(let record): evaluations.append(record)
        case .epochFinished(let report):
          phases.append(report.phase)
          #expect(report.metrics.images == 330)
          guard report.phase == .clat else { return }
          let now = try values()
          moved.append(Set(now.keys.filter { now[$0] != before[$0] }))
        default: break
        }
      } catch { failure = error }
    }
    #expect(try trainer.run() == .finished)
    if let failure { throw failure }
    #expect(phases == [.pgdAT, .pgdAT, .clat, .clat, .clat, .clat])
    #expect(steps == 24)
    #expect(evaluations.map(\.epoch) == [2, 5])
    #expect(evaluations.allSatisfy { $0.count == 50 && $0.robustCorrect <= $0.cleanCorrect })
    #expect(trainer.selections.map(\.epoch) == [2, 4])
    #expect(moved.count == 4)
    for (index, names) in moved.enumerated() {
      let selection = trainer.selections[index / 2]
      #expect(names == [trainer.model.layers[selection.selected[0]].weight])
      #expect(selection.lambda > 0)
      #expect(selection.layers.count == 3)
    }
  }

  @Test(arguments: [
    [String](), ["clat.batchnorm_affine=true", "clat.ce=both", "clat.detach=true"],
    ["clat.selection=random", "clat.lambda=0.5", "clat.fast=true", "attack.batch_norm=train"],
    ["base.method=standard", "clat.selection=fixed", "clat.layers=[conv2, conv3]", "clat.k=null"],
    ["base.method=none", "clat.dynamic=false", "clat.tap=block", "last_batch=drop"],
    ["clat.normalization=relative", "clat.selection=smallest", "optimizer.schedule=constant"],
  ])
  func everyOptionTrainsTheSameForAnyNumberOfThreads(_ overrides: [String]) throws {
    let short = ["clat.epochs=2", "evaluation.every=0"]
    let one = try trainer(overrides + short + ["threads=1"])
    let three = try trainer(overrides + short + ["threads=3"])
    #expect(try one.run() == .finished)
    #expect(try three.run() == .finished)
    #expect(try one.checkpoint() == three.checkpoint())
    let fresh = try trainer(overrides + short)
    #expect(try one.checkpoint().model != fresh.checkpoint().model)
  }

  /// Stopped at every fifth question, also within evaluations, and continued each time by a new
  /// trainer.
  @Test func interruptedRunsContinueBitForBit() throws {
    let whole = try trainer()
    #expect(try whole.run() == .finished)
    let folder = TemporaryFolder()
    var directory: RunDirectory? = try RunDirectory.create(at: folder.path, recipe: recipeText)
    var last: Checkpoint?
    var pieces = 0
    while last == nil {
      let part = try trainer(["threads=\(1 + pieces % 2)"], directory: directory)
      #expect((try part.resume() == nil) == (pieces == 0))
      var questions = 0
      let outcome = try part.run {
        questions += 1
        return questions > 5
      }
      if outcome == .finished { last = try part.checkpoint() }
      pieces += 1
      try #require(pieces < 30)
      directory?.close()
      directory = try RunDirectory.open(at: folder.path)
    }
    #expect(pieces > 5)
    #expect(try last == whole.checkpoint())
    let metrics = try String(contentsOfFile: folder.path + "/metrics.jsonl", encoding: .utf8)
    #expect(metrics.split(separator: "\n").count == 6)
    #expect(FileManager.default.fileExists(atPath: folder.path + "/selections.json"))
  }

  @Test func changedFrozenTensorsAreFound() throws {
    let trainer = try trainer()
    trainer.onEvent = { event in
      guard case .selected = event else { return }
      trainer.session.store["linear.bias"]?.floats[0] += 1
    }
    #expect(message { _ = try trainer.run() }.contains("frozen tensors changed"))
  }

  @Test func checkpointsOfOtherRecipesAreRefused() throws {
    let checkpoint = try trainer().checkpoint()
    let other = try trainer(["optimizer.lr=0.2"])
    #expect(message { try other.restore(checkpoint, file: "f") }.contains("another recipe"))
    try trainer(["threads=1"]).restore(checkpoint, file: "f")
  }

  @Test func settingsThatDoNotFitAreErrorsAtTheStart() {
    #expect(message { _ = try trainer(["clat.k=9"]) }.contains("has 1...3"))
    #expect(message { _ = try trainer(["last_batch=error"]) }.contains("last batch"))
    #expect(message { _ = try trainer(["data.validation=330"]) }.contains("leave none"))
    #expect(message { _ = try trainer(["model.mean=[1, 2]", "model.std=[1, 1]"]) } != "no error")
  }

  @Test func divergenceIsAnError() throws {
    let trainer = try trainer(["optimizer.lr=1e30", "base.method=standard"])
    #expect(message { _ = try trainer.run() }.contains("a smaller learning rate may help"))
  }

  @Test func recipesStartFromStoredWeights() throws {
    let folder = TemporaryFolder()
    let directory = try RunDirectory.create(at: folder.path, recipe: "")
    let path = try directory.save(try trainer(["seed=5"]).checkpoint())
    let trainer = try trainer(["model.weights=\(path)"])
    let stored = Dictionary(
      uniqueKeysWithValues: try Checkpoint.read(path).model.map { ($0.name, $0) })
    for tensor in try trainer.checkpoint().model { #expect(stored[tensor.name] == tensor) }
    #expect(message { _ = try TrainerTests.missing() }.contains("not found"))
  }

  private static func missing() throws { _ = try trainer(["model.weights=none.safetensors"]) }

  @Test func trainingLearns() throws {
    let trainer = try trainer([
      "model.name=small-cnn:width=16", "data.limit=null", "base.epochs=8", "clat.epochs=4",
      "optimizer.lr=0.1", "attack.eps=0.05", "attack.step=0.02", "evaluation.eps=0.05",
      "evaluation.count=null",
      "evaluation.every=0",
    ])
    var last: EvaluationRecord?
    trainer.onEvent = { if case .evaluated(let record) = $0 { last = record } }
    _ = try trainer.run()
    let record = try #require(last)
    #expect(record.cleanAccuracy > 0.9)
    #expect(record.robustAccuracy > 0.75)
  }
}

@Suite struct LearningRateTests {
  @Test func cosineRunsOverBothPhases() throws {
    let recipe = try Recipe.parse("base: {epochs: 5}\nclat: {epochs: 5}\n")
    #expect(recipe.learningRate(epoch: 0, step: 0, of: 10) == 0.1)
    #expect(abs(recipe.learningRate(epoch: 5, step: 0, of: 10) - 0.05) < 1e-15)
    #expect(recipe.learningRate(epoch: 9, step: 9, of: 10) < 1e-4)
    #expect(recipe.phase(epoch: 4) == .pgdAT && recipe.phase(epoch: 5) == .clat)
  }

  @Test func piecewiseAndConstant() throws {
    let recipe = try Recipe.parse("optimizer: {schedule: piecewise, milestones: [2, 4]}")
    let rates = (0..<6).map { recipe.learningRate(epoch: $0, step: 0, of: 1) }
    for (rate, expected) in zip(rates, [0.1, 0.1, 0.01, 0.01, 0.001, 0.001]) {
      #expect(abs(rate - expected) < 1e-12)
    }
  }

  @Test func selectionsComeEveryPeriod() throws {
    let recipe = try Recipe.parse("base: {epochs: 3}\nclat: {epochs: 25}")
    #expect((0..<40).filter(recipe.selects(beforeEpoch:)) == [3, 13, 23])
    var fixed = recipe
    fixed.clat.dynamic = false
    #expect((0..<40).filter(fixed.selects(beforeEpoch:)) == [3])
  }
}
