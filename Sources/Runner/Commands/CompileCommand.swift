import Adversarial
import ArgumentParser
import Engine
import Foundation
import IR
import Models
import Storage

/// `clat compile`: programs for a file, to run later without the compiler.
struct CompileCommand: ParsableCommand {
  /// What a file holds.
  enum Target: String, CaseIterable, ExpressibleByArgument {
    /// All that an evaluation runs.
    case evaluate
    case forward, attack, train, clat, criticality
    case clatAttack = "clat-attack"
    case clatUpdate = "clat-update"

    static let list = allCases.map(\.rawValue).joined(separator: ", ")
  }

  static let configuration = CommandConfiguration(
    commandName: "compile", abstract: "Compile programs into a file that `run` executes.",
    discussion: """
      The file holds the programs as lists of kernel calls with their memory plan, and machine \
      code for fused regions: it needs neither the compiler nor LLVM again. It holds no weights. \
      It runs on any number of threads, on CPUs that have the instruction set it was compiled for, with \
      the same build of clat; everything else is refused. Results have the same bits as those of \
      programs that are compiled at once.

      Programs: \(Target.list). `evaluate` is the forward pass and, with --attack, the attack and \
      the forward pass on what it found; only that can be run on data, the others can be timed.

      Run only files that you trust: like any program, one may hold code that does harm.

      EXAMPLES
        clat compile --model resnet18 --attack pgd --eps 8/255 --steps 10 -o resnet18.clat
        clat run resnet18.clat --weights runs/mine --data cifar-10-batches-bin
        clat compile --model resnet18 --program clat --critical 11 -o step.clat
        clat run step.clat --time
      """)

  @OptionGroup var network: StandaloneModelOptions
  @OptionGroup var attacking: AttackOptions

  @Option(help: ArgumentHelp("One of \(Target.list)."))
  var program = Target.evaluate

  @Option(help: "The layers that CLAT trains, by number or name; the last ones unless given.")
  var critical: NameList?

  @Option(help: "Images of the last, smaller batch of `evaluate`: it gets programs of its own.")
  var lastBatch: Int?

  @Option(name: [.customShort("o"), .long], help: "The file to write.")
  var out: String

  @Flag(help: "Print JSON: {out, bytes, instruction_set, compile_seconds, read_seconds, programs}.")
  var json = false

  func run() throws {
    guard lastBatch.map((1...network.batch).contains) != false else {
      throw Failure.usage("--last-batch \(lastBatch ?? 0): expected 1...\(network.batch)")
    }
    guard attacking.restarts == 1 else {
      throw Failure.usage("--restarts goes with 'clat run', not with compile")
    }
    let attack = try attacking.make()
    let model = try network.make()
    var programs: [(name: String, program: Program)] = []
    let compiling = try ContinuousClock().measure {
      programs = try ProgramName(rawValue: program.rawValue).map { name in
        [(name.rawValue, try compile(name, model, attack ?? .paper))]
      } ?? evaluation(model, attack)
    }
    let source = CompiledSource(target: program, network: network, attacking: attacking)
    let file = try ProgramFile(programs, notes: source.notes)
    let data = file.data
    // What has been written can be read, or is not worth writing.
    let reading = try ContinuousClock().measure {
      _ = try ProgramFile(data, threads: Team.availableThreads)
    }
    try AtomicFile.write(data, to: out)
    try report(file, data.count, compiling / .seconds(1), reading / .seconds(1))
  }

  private func compile(_ name: ProgramName, _ model: Model, _ attack: Attack) throws -> Program {
    var (graph, request) = try name.graph(
      model, batch: network.batch, critical: critical?.values, attack: attack)
    request.convolution = network.algorithm.convolution
    return try Compiler.compile(graph, request).program
  }

  private func evaluation(
    _ model: Model, _ attack: Attack?
  ) throws -> [(name: String, program: Program)] {
    try ([network.batch] + (lastBatch.map { [$0] } ?? [])).flatMap { batch in
      try CompiledSource.keys(attack).map { name, key in
        let program = try key.compile(
          model, batch: batch, threads: Team.availableThreads,
          convolution: network.algorithm.convolution, cache: nil
        ).program
        return ("\(name).\(batch)", program)
      }
    }
  }

  private func report(
    _ file: ProgramFile, _ bytes: Int, _ compiling: Double, _ reading: Double
  ) throws {
    if json {
      return try Output.json([
        "out": .string(out), "bytes": .int(bytes),
        "instruction_set": .string("\(file.instructionSet)"),
        "compile_seconds": .double(compiling), "read_seconds": .double(reading),
        "programs": .array(
          file.programs.map { name, program in
            [
              "name": .string(name), "calls": .int(program.instructions.count),
              "arena_bytes": .int(program.arenaBytes),
            ]
          }),
      ])
    }
    var table = Table("program", "calls", "arena")
    for (name, program) in file.programs {
      table.add(
        name, "\(program.instructions.count)", MemoryFootprint.megabytes(program.arenaBytes))
    }
    try Output.write(table.text)
    try Output.line(
      "\(out): \(MemoryFootprint.megabytes(bytes)) for \(file.instructionSet), compiled in "
        + "\(compiling.duration), read in \(reading.duration)")
  }
}
