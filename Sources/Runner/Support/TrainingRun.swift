import Adversarial
import Datasets
import Foundation
import Models
import Storage

/// A recipe run in a folder: from the start, or from its latest checkpoint.
struct TrainingRun {
  let trainer: Trainer
  let log: TrainingLog
  let directory: RunDirectory
  /// The checkpoint it goes on from.
  let resumedFrom: String?

  /// A new run in an empty folder.
  ///
  /// - Parameter check: refuses a run by throwing, before the folder exists.
  init(
    _ recipe: Recipe, data: TrainingData, in folder: String,
    check: (Trainer) throws -> Void = { _ in }, print: @escaping (String) -> Void
  ) throws {
    // What is wrong with the recipe shows before the folder exists.
    trainer = try Failure.blaming(.badData, "recipe") {
      let trainer = try Trainer(recipe, data: data)
      try check(trainer)
      return trainer
    }
    directory = try RunDirectory.create(at: folder, recipe: recipe.text)
    if let imported = recipe.model.imported { try KeptNetwork(folder: folder).write(imported) }
    trainer.keep(in: directory)
    for note in trainer.weightNotes { Output.note("clat: \(note)") }
    log = TrainingLog(epochs: recipe.totalEpochs, print: print)
    resumedFrom = nil
    trainer.onEvent = log.take
  }

  /// A run to go on with.
  init(
    resuming folder: String, threads: Int?, matching given: Recipe?,
    check: (Trainer) throws -> Void = { _ in }, print: @escaping (String) -> Void
  ) throws {
    directory = try RunDirectory.open(at: folder)
    var recipe = try Recipe.parse(try directory.recipe(), file: directory.recipePath)
    recipe.model.imported = try KeptNetwork(folder: folder).read()
    if let given, TrainingRun.essence(given) != TrainingRun.essence(recipe) {
      throw Failure.badData("\(directory.recipePath): differs from the given recipe")
    }
    if let threads { recipe.threads = threads }
    trainer = try Trainer(
      recipe, data: TrainingData.load(recipe.data), directory: directory, resumes: true)
    try check(trainer)
    resumedFrom = try trainer.resume { Output.note("clat: \($0)") }
    log = TrainingLog(epochs: recipe.totalEpochs, print: print)
    trainer.onEvent = log.take
  }

  /// What a recipe's results depend on.
  private static func essence(_ recipe: Recipe) -> Recipe {
    var recipe = recipe
    recipe.threads = 0
    recipe.checkpoint = Recipe().checkpoint
    return recipe
  }

  /// Trains to the end and writes `weights.safetensors` and `report.json`.
  ///
  /// - Throws: Failure (130) with the command that resumes, where a signal came.
  func run() throws {
    defer { log.close() }
    switch try trainer.run(shouldStop: { Interruption.isRequested }) {
    case .interrupted:
      throw Failure(
        .interrupted,
        "interrupted at epoch \(trainer.epoch + 1) of \(trainer.recipe.totalEpochs); resume with: "
          + "\(Runner.name) train --resume \(directory.path)")
    case .finished:
      var metadata = ["model": trainer.model.name]
      metadata["network"] = trainer.networkText
      try Safetensors(tensors: trainer.session.storedTensors(), metadata: metadata)
        .write(to: weightsPath)
      let text = report.text(indented: true) + "\n"
      try AtomicFile.write(Data(text.utf8), to: directory.path + "/report.json")
    }
  }

  var weightsPath: String { directory.path + "/weights.safetensors" }

  /// What a reader needs to judge the run.
  var report: JSON {
    let recipe = trainer.recipe
    let last = log.evaluations.last
    return [
      "out": .string(directory.path), "weights": .string(weightsPath),
      "model": .string(trainer.model.name), "parameters": .int(trainer.model.parameterCount),
      "data": .string(trainer.data.train.name), "train_images": .int(trainer.data.train.count),
      "generated_images": .int(trainer.data.mixed.map { $0.count - trainer.data.train.count } ?? 0),
      "notes": .array(trainer.data.test.notes.map(JSON.string)),
      "data_wait": .double(log.waitShare),
      "epochs": .int(recipe.totalEpochs), "base": .string(recipe.base.method.rawValue),
      "checkpoint_choice": "last epoch", "seed": .int(Int(truncatingIfNeeded: recipe.seed)),
      "evaluation": last.map { evaluation($0, recipe) } ?? .null,
      "selections": .array(trainer.selections.map(selection)),
      "engine": .string("clat \(Clat.version)"), "recipe": .string(recipe.text),
    ]
  }

  private func evaluation(_ record: EvaluationRecord, _ recipe: Recipe) -> JSON {
    let attack = recipe.evaluation.attack
    func interval(_ accuracy: Double) -> JSON {
      .double(Evaluation.halfInterval(accuracy: accuracy, count: record.count))
    }
    return [
      "split": .string(record.split.rawValue), "count": .int(record.count),
      "clean_correct": .int(record.cleanCorrect), "clean_accuracy": .double(record.cleanAccuracy),
      "clean_interval": interval(record.cleanAccuracy),
      "robust_correct": .int(record.robustCorrect),
      "robust_accuracy": .double(record.robustAccuracy),
      "robust_interval": interval(record.robustAccuracy),
      "attack": [
        "name": "pgd", "norm": "linf", "eps": .double(attack.eps.value),
        "step": .double(attack.step.value), "steps": .int(attack.steps),
        "start": .string(attack.start.rawValue), "restarts": .int(recipe.evaluation.restarts),
        "batch_norm": "eval",
      ],
    ]
  }

  private func selection(_ record: SelectionRecord) -> JSON {
    [
      "epoch": .int(record.epoch), "selected": .array(record.selected.map(JSON.int)),
      "names": .array(record.names.map(JSON.string)), "lambda": .double(record.lambda),
    ]
  }

  /// `runs/NAME`, or the first of `runs/NAME-2` and so on that does not exist.
  static func freshFolder(_ name: String) -> String {
    let first = "runs/\(name)"
    guard FileManager.default.fileExists(atPath: first) else { return first }
    var number = 2
    while FileManager.default.fileExists(atPath: "\(first)-\(number)") { number += 1 }
    return "\(first)-\(number)"
  }
}
