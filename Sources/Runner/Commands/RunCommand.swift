import Adversarial
import ArgumentParser
import Datasets
import Engine
import Foundation
import IR
import Models
import Storage

/// `clat run`: executes the programs of a file.
struct RunCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run", abstract: "Run programs that `compile` wrote to a file.",
    discussion: """
      With --weights and --data it evaluates, as `clat evaluate` does with the network and the \
      attack that the file was compiled from, and with the same result. A last batch that is \
      smaller than the file's is compiled now, unless the file has programs for its size \
      (compile --last-batch). With --time it runs every program of the file on random images.

      Run only files that you trust: like any program, one may hold code that does harm.

      EXAMPLES
        clat run resnet18.clat --weights runs/mine --data cifar-10-batches-bin --count 1280
        clat run resnet18.clat --weights runs/mine --data cifar-10-batches-bin --restarts 2 --json
        clat run update.clat --time --runs 20
      """)

  @Argument(help: "A file that `clat compile` wrote.")
  var file: String

  @Option(help: "Weights as safetensors with PyTorch's names, a checkpoint, or a run's folder.")
  var weights: String?

  @Option(help: "'digits', a CIFAR-10 or CIFAR-100 binary folder, or a .bin file of its records.")
  var data: String?

  @Option(help: "train or test.")
  var split = Split.test

  @Option(help: "Use only the first images.")
  var count: Int?

  @Option(help: "Seed of all random draws.")
  var seed: UInt64 = 0

  @Option(help: "Runs of the attack; an image is robust if it withstands all of them.")
  var restarts = 1

  @Option(help: "Write clean, adversarial, logits and labels to this safetensors file.")
  var saveAdversarial: String?

  @Flag(help: "Time the programs instead; weights and images are random.")
  var time = false

  @Option(help: "Runs that --time takes the median of, after one that is not counted.")
  var runs = 5

  @OptionGroup var threading: ThreadOptions

  @Flag(help: "Print JSON.")
  var json = false

  func run() throws {
    guard runs > 0 else { throw Failure.usage("--runs \(runs): expected at least 1") }
    let threads = try threading.resolve()
    let programs = try ProgramFile.read(file, threads: threads)
    let source = try CompiledSource(programs, named: file, restarts: restarts)
    if time { return try measure(programs, source, threads) }
    guard let weights, let data else {
      throw Failure.usage("run: expected --weights and --data, or --time")
    }
    guard source.target == .evaluate else {
      throw Failure.usage(
        "\(file) holds '\(source.target.rawValue)', which runs with --time alone; for data, "
          + "compile with --program evaluate and --attack (to train, use 'clat train')")
    }
    try evaluate(programs, source, threads, weights: weights, data: data)
  }

  private func evaluate(
    _ programs: ProgramFile, _ source: CompiledSource, _ threads: Int, weights: String, data: String
  ) throws {
    let attack = try source.attacking.make()
    guard saveAdversarial == nil || attack != nil else {
      throw Failure.usage("--save-adversarial: \(file) holds no attack")
    }
    let dataset = try images(data)
    let (model, batch) = (try source.network.make(), source.network.batch)
    let session = try ModelSession(
      model, values: Weights.read(weights, model), threads: threads,
      convolution: source.network.algorithm.convolution)
    let options = Evaluation.Options(
      attack: attack, restarts: restarts, batchSize: batch, seed: seed,
      keepsImages: saveAdversarial != nil)
    for size in Set([min(batch, dataset.count), dataset.count % batch]).subtracting([0]).sorted() {
      for (name, key) in CompiledSource.keys(attack) {
        guard let program = programs["\(name).\(size)"] else {
          Output.note("clat: \(file) has no '\(name)' for a batch of \(size): compiling it")
          continue
        }
        try session.use(
          program, on: programs.instructionSet, as: key, batch: size)
      }
    }
    Interruption.listen()
    let result = try EvaluateCommand.evaluate(session, dataset, options)
    if let saveAdversarial {
      try AdversarialFile.write(to: saveAdversarial, dataset, result, model: model)
    }
    let report = EvaluationReport(
      model: model, weights: weights, dataset: dataset, result: result, recheck: nil, seed: seed,
      attack: attack.map {
        (source.attacking.json($0, seed: seed), source.attacking.describe($0))
      })
    if json { try Output.json(report.json) } else { try Output.write(report.text) }
  }

  private func images(_ path: String) throws -> Dataset {
    let dataset = try Dataset.load(path, split: split)
    guard let count else { return dataset }
    guard (1...dataset.count).contains(count) else {
      throw Failure.usage("--count \(count): expected 1...\(dataset.count)")
    }
    return try dataset.subset(count)
  }

  private func measure(_ file: ProgramFile, _ source: CompiledSource, _ threads: Int) throws {
    let batch = source.network.batch
    let bench = try Workbench(source.network.make(), batch: batch)
    var rows: [(name: String, seconds: Double)] = []
    for (name, program) in file.programs {
      let executable = try bench.executable(program, on: file.instructionSet)
      let times = (0...runs).map { _ in ContinuousClock().measure { executable.run() } }
      rows.append((name, times.dropFirst().sorted()[runs / 2] / .seconds(1)))
    }
    if json {
      return try Output.json(
        .array(
          rows.map {
            ["name": .string($0.name), "median_seconds": .double($0.seconds),
              "threads": .int(threads)]
          }))
    }
    var table = Table("program", "median")
    for row in rows { table.add(row.name, row.seconds.duration) }
    try Output.write(table.text)
  }
}
