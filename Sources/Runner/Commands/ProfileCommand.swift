import ArgumentParser
import Datasets
import Engine
import Foundation
import IR
import Models
import Storage

/// `clat profile`: where the time of a program goes.
struct ProfileCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "profile", abstract: "Show where the time of a program goes.",
    discussion: """
      First measures what the machine can do: multiply-adds in registers, and STREAM's triad in \
      memory. Then runs a compiled program on random images and prints, for every kernel call, its \
      time in one run (attack steps added up), its share, GFLOP/s and GB/s, and how much of the \
      limit that applies to it (arithmetic or memory) it reaches; then the same by kernel; then \
      the calls that lose the most time against their limit.

      GFLOP/s count a convolution's operations as direct, padding included. The limit is that of \
      the operations that the kernel executes and of its operands' bytes, each read or written \
      once; where operands are still in a cache, more than 100 % of memory's limit is possible.

      With --recipe, trains the recipe's first steps on its data instead, keeps nothing, and \
      prints how much of the time went by waiting for images. With --data, only reads the \
      training split as training would, on one thread and on all, and prints images a second.

      With --compiled, measures the programs of a file, for the network and the batch that it was \
      compiled for; --json then prints a list.

      EXAMPLES
        clat profile --model resnet18 --batch 128 --program attack
        clat profile --compiled resnet18.clat
        clat profile --model resnet20 --program train --json
        clat profile --recipe recipes/imagenette-resnet18-pgd-at.yaml --set data.source=DIR
        clat profile --data DIR --image-size 64
      """)

  @OptionGroup var network: StandaloneModelOptions
  @OptionGroup var threading: ThreadOptions

  @Option(help: ArgumentHelp("One of \(ProgramName.list)."))
  var program = ProgramName.train

  @Option(help: "The layers that CLAT trains, by number or name; the last ones unless given.")
  var critical: NameList?

  @Option(help: "Runs that are averaged, after one that is not.")
  var runs = 5

  @Option(help: "A recipe, whose waiting for data is measured.")
  var recipe: String?

  @Option(name: .customLong("set"), help: "Override path.to.key=value of the recipe.")
  var overrides: [String] = []

  @Option(help: "Steps of the recipe that are measured, after one that is not.")
  var steps = 10

  @Option(help: "A data set, of which only the reading is measured.")
  var data: String?

  @OptionGroup var reading: ReadingOptions

  @Option(help: "A file of 'clat compile', whose programs are measured instead of a new one.")
  var compiled: String?

  @Flag(help: "Print JSON.")
  var json = false

  func run() throws {
    if let recipe { return try profileData(recipe) }
    if let data { return try profileReading(data) }
    guard runs > 0 else { throw Failure.usage("--runs \(runs): expected at least 1") }
    if let compiled { return try profileFile(compiled) }
    let model = try network.make()
    var (graph, request) = try program.graph(
      model, batch: network.batch, critical: critical?.values)
    request.convolution = network.algorithm.convolution
    let options = Compiler.Options(threads: try threading.resolve())
    let limits = try MachineLimits.measure(threads: options.threads)
    let bench = try Workbench(model, batch: network.batch)
    let result = try Compiler.compile(graph, request, options: options)
    let report = profile(try Executable(result.program, store: bench.store), limits)
    if json {
      try Output.json(report.json(model, network.batch))
    } else {
      try Output.write(report.text)
    }
  }

  private func profile(_ executable: Executable, _ limits: MachineLimits) -> ProfileReport {
    executable.run()
    executable.isProfiling = true
    let seconds =
      ContinuousClock().measure { for _ in 0..<runs { executable.run() } } / .seconds(1)
    return ProfileReport(executable, limits, runs: runs, wallSeconds: seconds / Double(runs))
  }

  /// Every program of a file.
  private func profileFile(_ path: String) throws {
    let threads = try threading.resolve()
    let file = try ProgramFile.read(path, threads: threads)
    let network = try CompiledSource(file, named: path, restarts: 1).network
    let bench = try Workbench(network.make(), batch: network.batch)
    let limits = try MachineLimits.measure(threads: threads)
    let reports = try file.programs.map { name, program in
      let batch = name.split(separator: ".").last.flatMap { Int($0) } ?? network.batch
      return (profile(try bench.executable(program, on: file.instructionSet), limits), batch)
    }
    if json { return try Output.json(.array(reports.map { $0.json(bench.model, $1) })) }
    try Output.write(reports.map(\.0.text).joined(separator: "\n"))
  }

  private func profileData(_ path: String) throws {
    guard steps > 0 else { throw Failure.usage("--steps \(steps): expected at least 1") }
    var recipe = try RecipeFile.read(path, overrides: overrides)
    let threads = try threading.resolve()
    if recipe.threads == 0 || threading.threads != nil { recipe.threads = threads }
    Interruption.listen()
    let profile = try DataProfile(recipe, steps: steps)
    if json { try Output.json(profile.json) } else { try Output.write(profile.text) }
  }

  private func profileReading(_ path: String) throws {
    let dataset = try Dataset.load(path, split: .train, options: reading.options)
    let threads = Set([1, threading.threads ?? Team.availableThreads]).sorted()
    let profile = try ReadingProfile(dataset, batch: network.batch, threads: threads)
    if json { try Output.json(profile.json) } else { try Output.write(profile.text) }
  }
}
