import Adversarial
import ArgumentParser
import Datasets
import Foundation
import Models
import Storage

/// `clat evaluate`: accuracy on clean and on attacked images.
struct EvaluateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "evaluate", abstract: "Measure accuracy on clean and on attacked images.",
    discussion: """
      The test split is used unless --split says otherwise. Adversarial images are looked at once \
      more after the attack: their norm, their range, and whether the network gets as many right \
      as reported.

      EXAMPLES
        clat evaluate --model resnet20 --weights resnet20.safetensors --data cifar-10-batches-bin \\
          --mean .485,.456,.406 --std .229,.224,.225
        clat evaluate --model resnet18 --weights runs/mine --data cifar-10-batches-bin \\
          --attack pgd --eps 8/255 --step 2/255 --steps 20 --restarts 2 --count 1000 --json
      """)

  @OptionGroup var images: ImageOptions
  @OptionGroup var attacking: AttackOptions
  @OptionGroup var memory: MemoryOptions

  @Option(help: "train or test.")
  var split = Split.test

  @Option(help: "Images in a batch.")
  var batch = 128

  @Option(help: "Write clean, adversarial, logits and labels to this safetensors file.")
  var saveAdversarial: String?

  @Flag(help: "Print JSON.")
  var json = false

  func run() throws {
    try ImageOptions.check(batch: batch)
    let attack = try attacking.make()
    guard saveAdversarial == nil || attack != nil else {
      throw Failure.usage("--save-adversarial needs an --attack")
    }
    let dataset = try images.load(split: split)
    let session = try images.session(for: dataset)
    Interruption.listen()
    let options = Evaluation.Options(
      attack: attack, restarts: attacking.restarts, batchSize: min(batch, dataset.count),
      seed: images.seed, keepsImages: attack != nil)
    let plan = try memory.check("--batch", batch: options.batchSize) { batch in
      var options = options
      options.batchSize = batch
      return try Evaluation.footprint(session, dataset, options)
    }
    Output.note("clat: \(plan)")
    let result = try Self.evaluate(session, dataset, options)
    let recheck = try attack.map { attack in
      try Evaluation.recheck(
        session, dataset, adversarial: result.adversarial, eps: attack.eps.value,
        expected: result.robustCorrect.count { $0 }, batchSize: min(batch, dataset.count))
    }
    if let saveAdversarial {
      try AdversarialFile.write(to: saveAdversarial, dataset, result, model: session.model)
    }
    let report = EvaluationReport(
      model: session.model, weights: images.weightsName, dataset: dataset, result: result,
      recheck: recheck, seed: images.seed,
      attack: attack.map { (attacking.json($0, seed: images.seed), attacking.describe($0)) })
    if json { try Output.json(report.json) } else { try Output.write(report.text) }
    if let problem = recheck?.problems.first {
      throw Failure(.internalError, "the adversarial images fail their check: \(problem)")
    }
  }

  /// Evaluates with a progress line, until a signal comes.
  static func evaluate(
    _ session: ModelSession, _ dataset: Dataset, _ options: Evaluation.Options
  ) throws -> Evaluation {
    let line = ProgressLine()
    defer { line.clear() }
    let start = ContinuousClock.now
    do {
      return try Evaluation.run(
        session, dataset, options, shouldStop: { Interruption.isRequested },
        onProgress: { done in
          let fraction = Double(done) / Double(dataset.count)
          let elapsed = (ContinuousClock.now - start) / .seconds(1)
          line.update(
            fraction,
            "\(done)/\(dataset.count) images, "
              + "\(ProgressLine.clock(elapsed / fraction - elapsed)) left"
          )
        })
    } catch is CancellationError {
      throw Interruption.failure
    }
  }
}

extension AttackOptions {
  /// The attack in one line: `pgd linf eps 8/255 = 0.03137, ...`.
  func describe(_ attack: Attack) -> String {
    "\(self.attack) \(norm) eps \(attack.eps), step \(attack.step), \(attack.steps) steps, "
      + "\(attack.start.rawValue) start, \(restarts) restart\(restarts == 1 ? "" : "s")"
  }
}
