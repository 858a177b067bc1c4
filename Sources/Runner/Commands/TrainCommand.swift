import Adversarial
import ArgumentParser
import Foundation
import Models
import Storage

/// `clat train`: runs a recipe.
struct TrainCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "train", abstract: "Train a network as a recipe says, or go on with a run.",
    discussion: """
      The run's folder gets the resolved recipe, metrics (JSON lines and CSV), checkpoints, the \
      selections of critical layers, weights.safetensors and report.json. Ctrl-C finishes the \
      step, writes a checkpoint and says how to resume; a resumed run gives the same bits as one \
      that was never interrupted, for any number of threads.

      EXAMPLES
        clat train recipes/digits-clat.yaml
        clat train recipes/resnet18-clat.yaml --set data.source=cifar-10-batches-bin \\
          --set attack.eps=8/255 --set clat.epochs=20 --out runs/mine
        clat train recipes/digits-clat.yaml --set model.name=net.onnx
        clat train --resume runs/mine
      """)

  @Argument(help: "The recipe, a YAML file.")
  var recipe: String?

  @Option(name: .customLong("set"), help: "Override path.to.key=value; may be repeated.")
  var overrides: [String] = []

  @Option(help: "The run's folder, new or empty; runs/RECIPE unless given.")
  var out: String?

  @Option(help: "Go on with the run in this folder.")
  var resume: String?

  @Option(help: "Start from these weights: as of 'clat evaluate'.")
  var weights: String?

  @OptionGroup var threading: ThreadOptions
  @OptionGroup var memory: MemoryOptions

  @Flag(help: "Print the report as JSON; the epochs' lines go to standard error.")
  var json = false

  func run() throws {
    try check()
    let given = try recipe.map { try RecipeFile.read($0, overrides: overrides) }
    let threads = try threading.resolve()
    Interruption.listen()
    let print: (String) -> Void =
      json ? { Output.note($0) } : { line in try? Output.line(line) }
    var plan = ""
    let run = try start(given, threads, print) { trainer in
      plan = try memory.check(
        "optimizer.batch_size", batch: trainer.recipe.optimizer.batchSize
      ) { try trainer.footprint(batch: $0) }
    }
    if let file = run.resumedFrom { Output.note("clat: going on from \(file)") }
    Output.note(
      "clat: \(run.trainer.model.name) in \(run.directory.path), \(threads) threads, \(plan)")
    try run.run()
    if json { return try Output.json(run.report) }
    try Output.line("waiting for data: \((100 * run.log.waitShare).fixed(2)) % of training")
    try Output.line("weights: \(run.weightsPath)")
  }

  private func check() throws {
    if recipe == nil, resume == nil {
      throw Failure.usage("train: expected a recipe, or --resume DIR; see 'clat train --help'")
    }
    guard resume != nil else { return }
    if out != nil { throw Failure.usage("--out and --resume exclude each other") }
    if weights != nil { throw Failure.usage("--weights and --resume exclude each other") }
    if recipe == nil, !overrides.isEmpty {
      throw Failure.usage("--set needs a recipe; a resumed run keeps its own")
    }
  }

  private func start(
    _ given: Recipe?, _ threads: Int, _ print: @escaping (String) -> Void,
    check: (Trainer) throws -> Void
  ) throws -> TrainingRun {
    if let resume {
      return try TrainingRun(
        resuming: resume, threads: threading.threads, matching: given, check: check, print: print)
    }
    var recipe = given ?? Recipe()
    if recipe.threads == 0 || threading.threads != nil { recipe.threads = threads }
    let data = try TrainingData.load(recipe.data)
    if let weights {
      let source = try WeightSource(weights).located(warn: { Output.note("clat: \($0)") })
      recipe.model.weights = source.description
    }
    let name = URL(fileURLWithPath: self.recipe ?? "run").deletingPathExtension().lastPathComponent
    return try TrainingRun(
      recipe, data: data, in: out ?? TrainingRun.freshFolder(name), check: check,
      print: print)
  }
}
