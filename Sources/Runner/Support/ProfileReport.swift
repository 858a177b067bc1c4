import Engine
import Models
import Storage

/// The times of a program's kernel calls in one run, against what the machine could do.
struct ProfileReport {
  /// A kernel call with all its repetitions, or all calls of one kernel.
  struct Row {
    var name: String
    var kernel: String
    var calls = 0
    var seconds = 0.0
    /// A convolution's counted as direct.
    var flops = 0.0
    /// Those that the kernel executes.
    var executedFlops = 0.0
    var bytes = 0.0
    /// The least seconds that the machine's limits allow, call by call.
    var leastSeconds = 0.0
    /// Of these, the seconds of calls that arithmetic limits.
    var arithmeticSeconds = 0.0

    var gigaflops: Double { seconds > 0 ? flops / seconds / 1e9 : 0 }
    var gigabytes: Double { seconds > 0 ? bytes / seconds / 1e9 : 0 }
    /// The limit that most of the least seconds come from.
    var limit: String { 2 * arithmeticSeconds > leastSeconds ? "arithmetic" : "memory" }
    /// Share of that limit.
    var reached: Double { seconds > 0 ? leastSeconds / seconds : 0 }
    /// Seconds more than the limit.
    var lost: Double { seconds - leastSeconds }

    mutating func add(_ other: Row) {
      calls += other.calls
      seconds += other.seconds
      flops += other.flops
      executedFlops += other.executedFlops
      bytes += other.bytes
      leastSeconds += other.leastSeconds
      arithmeticSeconds += other.arithmeticSeconds
    }
  }

  let program: Program
  let limits: MachineLimits
  /// Seconds of one run by the clock.
  let wallSeconds: Double
  /// One for every instruction that ran.
  let rows: [Row]

  init(_ executable: Executable, _ limits: MachineLimits, runs: Int, wallSeconds: Double) {
    program = executable.program
    self.limits = limits
    self.wallSeconds = wallSeconds
    let times = executable.profile
    rows = executable.program.sections.flatMap { section in
      section.instructions.map { index in
        let instruction = executable.program.instructions[index]
        let repeats = Double(section.repeats)
        let arithmetic = limits.seconds(flops: instruction.executedFlops, bytes: 0)
        let least = limits.seconds(flops: instruction.executedFlops, bytes: instruction.bytes)
        return Row(
          name: "\(index) \(instruction.origin)", kernel: instruction.kernel,
          calls: section.repeats, seconds: Double(times[index]) / Double(runs) / 1e9,
          flops: instruction.flops * repeats, executedFlops: instruction.executedFlops * repeats,
          bytes: instruction.bytes * repeats, leastSeconds: least * repeats,
          arithmeticSeconds: arithmetic == least ? least * repeats : 0)
      }
    }.filter { $0.seconds > 0 }
  }

  /// All kernel calls.
  var total: Row { rows.reduce(into: Row(name: "all", kernel: "")) { $0.add($1) } }

  var groups: [Row] {
    rows.reduce(into: [String: Row]()) { groups, row in
      groups[row.kernel, default: Row(name: row.kernel, kernel: row.kernel)].add(row)
    }.values.sorted { ($1.seconds, $0.kernel) < ($0.seconds, $1.kernel) }
  }

  /// The calls by the time that they lose against their limit.
  var offenders: [Row] { rows.filter { $0.lost > 0 }.sorted { $0.lost > $1.lost } }

  var text: String {
    let total = total
    let rate = (program.flops / max(wallSeconds, 1e-9) / 1e9).fixed(1)
    let summary =
      "\(program.name): \(wallSeconds.duration) a run, \(total.seconds.duration) in kernels, "
      + "\(rate) GFLOP/s, \(program.threads) threads\n"
      + "limits: \((limits.flopsPerSecond / 1e9).fixed(1)) GFLOP/s, "
      + "\((limits.bytesPerSecond / 1e9).fixed(1)) GB/s; at the limits a run would take "
      + "\(total.leastSeconds.duration)\n\(program.memorySummary)\n"
    return [
      table("instruction", rows, within: total), table("by kernel", groups, within: total),
      table("worst offenders", Array(offenders.prefix(10)), within: total), summary,
    ].joined(separator: "\n")
  }

  private func table(_ title: String, _ rows: [Row], within total: Row) -> String {
    var table = Table(
      title, "kernel", "calls", "time", "share %", "GFLOP/s", "GB/s", "limit", "reached %", "lost")
    for row in rows {
      table.add(
        row.name, row.name == row.kernel ? "" : row.kernel, "\(row.calls)", row.seconds.duration,
        (100 * row.seconds / max(total.seconds, 1e-12)).fixed(1), row.gigaflops.fixed(1),
        row.gigabytes.fixed(1), row.limit, (100 * row.reached).fixed(0), max(0, row.lost).duration)
    }
    return table.text
  }

  func json(_ model: Model, _ batch: Int) -> JSON {
    [
      "model": .string(model.name), "batch": .int(batch), "program": .string(program.name),
      "threads": .int(program.threads), "seconds": .double(wallSeconds),
      "kernel_seconds": .double(total.seconds), "least_seconds": .double(total.leastSeconds),
      "flops": .double(program.flops),
      "limit_flops_per_second": .double(limits.flopsPerSecond),
      "limit_bytes_per_second": .double(limits.bytesPerSecond),
      "arena_bytes": .int(program.arenaBytes), "external_bytes": .int(program.externalBytes),
      "instructions": .array(rows.map(json)), "kernels": .array(groups.map(json)),
    ]
  }

  private func json(_ row: Row) -> JSON {
    [
      "name": .string(row.name), "kernel": .string(row.kernel), "calls": .int(row.calls),
      "seconds": .double(row.seconds), "flops": .double(row.flops),
      "executed_flops": .double(row.executedFlops), "bytes": .double(row.bytes),
      "limit": .string(row.limit), "least_seconds": .double(row.leastSeconds),
    ]
  }
}
