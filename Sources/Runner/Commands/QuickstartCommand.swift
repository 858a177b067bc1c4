import Adversarial
import ArgumentParser
import Foundation
import Storage

/// `clat quickstart`: three ways to train on the embedded digits, compared.
struct QuickstartCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "quickstart",
    abstract: "Train on the embedded digits with and without CLAT, and compare.",
    discussion: """
      Three runs of the same length: standard training, PGD adversarial training, and PGD \
      adversarial training for the first half followed by CLAT. Ends with a table of clean and \
      PGD-10 accuracy on the test split and the layers that CLAT chose. It needs no data and no \
      network; 8x8 digits show how the machinery works, not how robust a real model is.

      EXAMPLES
        clat quickstart
        clat quickstart --epochs 60 --out runs/longer --json
      """)

  @Option(help: "The folder of the three runs; runs/quickstart unless given.")
  var out: String?

  @Option(help: "Epochs of each run, at least 4.")
  var epochs = 40

  @Option(help: "Seed of all random draws.")
  var seed: UInt64 = 0

  @OptionGroup var threading: ThreadOptions

  @Flag(help: "Print JSON: {runs: [{name, clean_accuracy, robust_accuracy, ...}], seconds, out}.")
  var json = false

  func run() throws {
    guard (4...10_000).contains(epochs) else {
      throw Failure.usage("--epochs \(epochs): expected 4...10000")
    }
    let threads = try threading.resolve()
    Interruption.listen()
    let folder = out ?? TrainingRun.freshFolder("quickstart")
    let start = ContinuousClock.now
    var runs: [(Quickstart.Method, TrainingRun)] = []
    for method in Quickstart.Method.allCases {
      Output.note("clat: \(method.title)")
      let recipe = try Quickstart.recipe(method, epochs: epochs, seed: seed, threads: threads)
      let run = try TrainingRun(
        recipe, data: TrainingData.load(recipe.data), in: "\(folder)/\(method.rawValue)",
        print: { Output.note($0) })
      try run.run()
      runs.append((method, run))
    }
    let seconds = (ContinuousClock.now - start) / .seconds(1)
    let report = QuickstartReport(runs: runs, folder: folder, seconds: seconds)
    try AtomicFile.write(Data(report.plot.text.utf8), to: folder + "/curves.svg")
    if json { return try Output.json(report.json) }
    try Output.write(report.text)
  }
}

/// The three recipes.
enum Quickstart {
  enum Method: String, CaseIterable {
    case standard
    case pgdAT = "pgd-at"
    case clat

    var title: String {
      switch self {
      case .standard: "standard training"
      case .pgdAT: "PGD-AT"
      case .clat: "PGD-AT, then CLAT"
      }
    }

    var colour: String {
      switch self {
      case .standard: "#888888"
      case .pgdAT: "#1f77b4"
      case .clat: "#d62728"
      }
    }
  }

  /// Digits are 16 grey levels on 8x8 pixels: 0.15 of the range is a little over two levels.
  static let eps = "0.15"

  static func recipe(
    _ method: Method, epochs: Int, seed: UInt64, threads: Int
  ) throws -> Recipe {
    let half = method == .clat ? epochs / 2 : 0
    return try Recipe.parse(
      """
      seed: \(seed)
      threads: \(threads)
      model:
        name: \(model)
      data:
        source: digits
      base:
        method: \(method == .standard ? "standard" : "pgd-at")
        epochs: \(epochs - half)
      clat:
        epochs: \(half)
        period: \(max(1, epochs / 8))
        k: \(critical)
        criticality_batch: 256
      attack:
        eps: \(eps)
        step: 0.03
        steps: 10
      optimizer:
        lr: 0.1
        batch_size: 64
      evaluation:
        eps: \(eps)
        step: 0.03
        steps: 10
        every: 2
      checkpoint:
        every_epochs: \(max(1, epochs / 4))
      """, file: "quickstart")
  }

  static let model = "wrn-10-1"
  static let critical = 2
}
