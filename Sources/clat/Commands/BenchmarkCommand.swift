import ArgumentParser
import Engine
import Foundation
import Models
import Storage

/// `clat benchmark`: whole steps on the compiled and the eager engine.
struct BenchmarkCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "benchmark", abstract: "Time whole steps on the compiled and the eager engine.",
    discussion: """
      The engines take turns, run by run, so that a disturbance of the machine meets both. The \
      eager engine runs the same graph with the same kernels operation by operation. Attacks are \
      PGD-10. Peak bytes are, of the compiled engine, its planned memory; of the eager one, what \
      its first run added to the process, and the tensors.

      Work: \(Work.list).

      EXAMPLES
        clat benchmark --model resnet18 --batch 128
        clat benchmark --model resnet20 --work pgd,clat --engine compiled --json
      """)

  @OptionGroup var network: StandaloneModelOptions
  @OptionGroup var threading: ThreadOptions
  @OptionGroup var memory: MemoryOptions

  @Option(help: ArgumentHelp("A list of \(Work.list)."))
  var work = ChoiceList<Work>(values: Work.allCases)

  @Option(help: "A list of compiled, eager.")
  var engine = ChoiceList<EngineName>(values: EngineName.allCases)

  @Option(help: "The layers that CLAT trains, 11,4; the model's last ones unless given.")
  var critical: IndexList?

  @Option(
    help: "Runs of each engine at least, after one that is not counted; more if they are short.")
  var runs = 5

  @Flag(help: "Print JSON.")
  var json = false

  func run() throws {
    guard runs > 0 else { throw Failure.usage("--runs \(runs): expected at least 1") }
    let model = try network.make()
    let threads = try threading.resolve()
    var rows: [BenchmarkRow] = []
    let plans = try work.values.map { try plan($0, model, threads) }
    for (work, plan) in zip(work.values, plans) {
      Output.note("clat: \(work.rawValue)\(plan.map { ", \($0)" } ?? "")")
      rows += try measure(work, model, threads)
    }
    if json { return try Output.json(.array(rows.map(\.json))) }
    try Output.write(BenchmarkRow.text(rows))
  }

  /// What the compiled engine will keep in memory.
  private func plan(_ work: Work, _ model: Model, _ threads: Int) throws -> String? {
    guard engine.values.contains(.compiled) else { return nil }
    return try memory.check("--batch", batch: network.batch) { batch in
      let graphs = try work.programs(model, batch: batch, critical: critical?.values)
      return CompiledWork.footprint(try CompiledWork.compile(graphs, threads: threads))
    }
  }

  private func measure(_ work: Work, _ model: Model, _ threads: Int) throws -> [BenchmarkRow] {
    let graphs = try work.programs(model, batch: network.batch, critical: critical?.values)
    var prepared: [any PreparedWork] = []
    var rows: [BenchmarkRow] = []
    for engine in engine.values {
      let store = try Workbench(model, batch: network.batch).store
      let item: any PreparedWork =
        switch engine {
        case .compiled: try CompiledWork(graphs, store, threads: threads)
        case .eager: try EagerWork(graphs, store, threads: threads)
        }
      let before = ProcessMemory.resetPeak() ? ProcessMemory.resident : nil
      try item.run()
      let tensors = store.names.reduce(0) { $0 + (store[$1]?.type.byteCount ?? 0) }
      let grown = before.flatMap { resident in ProcessMemory.peak.map { $0 - resident + tensors } }
      prepared.append(item)
      rows.append(
        BenchmarkRow(
          model: model.name, batch: network.batch, work: work, engine: engine, threads: threads,
          compileSeconds: item.compileSeconds, peakBytes: item.plannedBytes ?? grown))
    }
    let start = ContinuousClock.now
    var round = 0
    while round < runs || (round < 100 && ContinuousClock.now - start < .seconds(1)) {
      round += 1
      for (index, item) in prepared.enumerated() {
        rows[index].seconds.append(
          try ContinuousClock().measure { try item.run() } / .seconds(1))
      }
    }
    return rows
  }
}

/// One line of a benchmark's result.
struct BenchmarkRow {
  var model: String
  var batch: Int
  var work: Work
  var engine: EngineName
  var threads: Int
  var compileSeconds: Double
  var peakBytes: Int?
  var seconds: [Double] = []

  var median: Double {
    let sorted = seconds.sorted()
    let middle = sorted.count / 2
    return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
  }

  var best: Double { seconds.min() ?? 0 }

  var json: JSON {
    [
      "model": .string(model), "batch": .int(batch), "work": .string(work.rawValue),
      "engine": .string(engine.rawValue), "median_seconds": .double(median),
      "best_seconds": .double(best), "peak_bytes": peakBytes.map(JSON.int) ?? .null,
      "compile_seconds": .double(compileSeconds), "threads": .int(threads),
    ]
  }

  static func text(_ rows: [BenchmarkRow]) -> String {
    var table = Table(
      "work", "engine", "median", "best", "images/s", "peak MB", "compile", "compiled/eager")
    for row in rows {
      let eager = rows.first { $0.work == row.work && $0.engine == .eager }
      let ratio =
        row.engine == .compiled ? eager.map { (row.median / $0.median).fixed(3) } ?? "" : ""
      table.add(
        row.work.rawValue, row.engine.rawValue, row.median.duration, row.best.duration,
        (Double(row.batch) / row.median).fixed(1),
        row.peakBytes.map { (Double($0) / 1e6).fixed(1) } ?? "", row.compileSeconds.duration, ratio)
    }
    return table.text
  }
}
