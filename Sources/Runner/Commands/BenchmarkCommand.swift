import ArgumentParser
import Engine
import IR
import Foundation
import Models
import Storage

/// `clat benchmark`: whole steps on the compiled and the eager engine.
struct BenchmarkCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "benchmark", abstract: "Time whole steps on the compiled and the eager engine.",
    discussion: """
      The engines take turns, run by run, so that a disturbance of the machine meets both. The \
      eager engine runs the same graph with the same kernels operation by operation. Peak bytes \
      are, of the compiled engine, its planned memory; of the eager one, what its first run added \
      to the process, and the tensors. GFLOP/s count a convolution's operations as direct; the \
      limit is the multiply-add rate measured at the start.

      With --serve the command is one side of a comparison with other programs, as \
      Benchmarks/peers makes it: it prepares one engine when first asked, reads lines of JSON \
      {"run": WORK} or {"run": "limits"} from standard input, and answers each with one line: \
      seconds, peak_bytes (resident memory of the process), flops; or the machine's limits.

      Work: \(Work.list).

      EXAMPLES
        clat benchmark --model resnet18 --batch 128 --plot resnet18.svg
        clat benchmark --model resnet20 --work pgd,clat --engine compiled --json
        echo '{"run": "pgd"}' | clat benchmark --serve --engine compiled --work pgd
      """)

  @OptionGroup var network: StandaloneModelOptions
  @OptionGroup var threading: ThreadOptions
  @OptionGroup var memory: MemoryOptions

  @Option(help: ArgumentHelp("A list of \(Work.list)."))
  var work = ChoiceList<Work>(values: Work.allCases)

  @Option(help: "A list of compiled, eager.")
  var engine = ChoiceList<EngineName>(values: EngineName.allCases)

  @Option(help: "The layers that CLAT trains, by number or name; the last ones unless given.")
  var critical: NameList?

  @Option(help: "Steps of every attack.")
  var steps = 10

  @Option(
    help: "Runs of each engine at least, after one that is not counted; more if they are short.")
  var runs = 5

  @Flag(help: "Print JSON.")
  var json = false

  @Option(help: "Also writes the result as bars to this SVG file.")
  var plot: String?

  @Flag(help: "Answer requests on standard input.")
  var serve = false

  func run() throws {
    guard runs > 0 else { throw Failure.usage("--runs \(runs): expected at least 1") }
    guard (1...100_000).contains(steps) else {
      throw Failure.usage("--steps \(steps): expected 1...100000")
    }
    let model = try network.make()
    let threads = try threading.resolve()
    if serve { return try answer(model, threads) }
    let limits = try MachineLimits.measure(threads: threads)
    var rows: [BenchmarkRow] = []
    let plans = try work.values.map { try plan($0, model, threads) }
    for (work, plan) in zip(work.values, plans) {
      Output.note("clat: \(work.rawValue)\(plan.map { ", \($0)" } ?? "")")
      rows += try measure(work, model, threads, limits)
    }
    if let plot {
      try AtomicFile.write(Data(BenchmarkRow.plot(rows, limits).utf8), to: plot)
    }
    if json { return try Output.json(.array(rows.map(\.json))) }
    try Output.write(BenchmarkRow.text(rows))
  }

  private func programs(
    _ work: Work, _ model: Model, batch: Int
  ) throws -> [(Graph, CompileRequest)] {
    var graphs = try work.programs(model, batch: batch, critical: critical?.values, steps: steps)
    for index in graphs.indices { graphs[index].1.convolution = network.algorithm.convolution }
    return graphs
  }

  private func prepare(
    _ work: Work, _ engine: EngineName, _ model: Model, _ threads: Int
  ) throws -> any PreparedWork {
    let graphs = try programs(work, model, batch: network.batch)
    let store = try Workbench(model, batch: network.batch).store
    return try engine.prepare(graphs, store, threads: threads)
  }

  /// What the compiled engine will keep in memory.
  private func plan(_ work: Work, _ model: Model, _ threads: Int) throws -> String? {
    guard engine.values.contains(.compiled) else { return nil }
    return try memory.check("--batch", batch: network.batch) { batch in
      CompiledWork.footprint(
        try CompiledWork.compile(programs(work, model, batch: batch), threads: threads))
    }
  }

  private func answer(_ model: Model, _ threads: Int) throws {
    guard engine.values.count == 1, let engine = engine.values.first else {
      throw Failure.usage("--serve: expected one --engine")
    }
    var server = BenchmarkServer(works: work.values, threads: threads) { work in
      try prepare(work, engine, model, threads)
    }
    while let line = readLine() { try Output.json(server.answer(line)) }
  }

  private func measure(
    _ work: Work, _ model: Model, _ threads: Int, _ limits: MachineLimits
  ) throws -> [BenchmarkRow] {
    var prepared: [any PreparedWork] = []
    var rows: [BenchmarkRow] = []
    for engine in engine.values {
      let item = try prepare(work, engine, model, threads)
      let before = ProcessMemory.resetPeak() ? ProcessMemory.resident : nil
      try item.run()
      let grown = before.flatMap { resident in
        ProcessMemory.peak.map { $0 - resident + item.tensorBytes }
      }
      prepared.append(item)
      rows.append(
        BenchmarkRow(
          model: model.name, batch: network.batch, work: work, steps: steps, engine: engine,
          threads: threads, compileSeconds: item.compileSeconds,
          peakBytes: item.plannedBytes ?? grown, limit: limits.flopsPerSecond))
    }
    let flops = prepared.compactMap(\.flops).first
    for index in rows.indices { rows[index].flops = flops }
    let start = ContinuousClock.now
    var round = 0
    while round < runs || (round < 100 && ContinuousClock.now - start < .seconds(1)) {
      round += 1
      for (index, item) in prepared.enumerated() {
        rows[index].seconds.append(
          try ContinuousClock().measure { try item.run() } / .seconds(1))
      }
    }
    let eager = rows.first { $0.engine == .eager }?.median
    for index in rows.indices { rows[index].eagerMedian = eager }
    return rows
  }
}
