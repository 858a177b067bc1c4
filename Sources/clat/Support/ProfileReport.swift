import Engine
import Models
import Storage

/// The times of a program's kernel calls in one run.
struct ProfileReport {
  /// A kernel call, or all calls of one kernel.
  struct Row {
    var name: String
    var kernel: String
    var calls: Int
    var seconds: Double
    var flops: Double
    var bytes: Double

    var gigaflops: Double { seconds > 0 ? flops / seconds / 1e9 : 0 }
    var gigabytes: Double { seconds > 0 ? bytes / seconds / 1e9 : 0 }
  }

  let program: Program
  /// Seconds of one run by the clock.
  let wallSeconds: Double
  /// One for every instruction that ran.
  let rows: [Row]

  init(_ executable: Executable, runs: Int, wallSeconds: Double) {
    program = executable.program
    self.wallSeconds = wallSeconds
    let times = executable.profile
    rows = executable.program.sections.flatMap { section in
      section.instructions.map { index in
        let instruction = executable.program.instructions[index]
        let repeats = Double(section.repeats)
        return Row(
          name: "\(index) \(instruction.origin)", kernel: instruction.kernel,
          calls: section.repeats, seconds: Double(times[index]) / Double(runs) / 1e9,
          flops: instruction.flops * repeats, bytes: instruction.bytes * repeats)
      }
    }.filter { $0.seconds > 0 }
  }

  /// Seconds of all kernel calls.
  var total: Double { rows.reduce(0) { $0 + $1.seconds } }

  var groups: [Row] {
    var groups: [String: Row] = [:]
    for row in rows {
      var group =
        groups[row.kernel]
        ?? Row(name: row.kernel, kernel: row.kernel, calls: 0, seconds: 0, flops: 0, bytes: 0)
      group.calls += row.calls
      group.seconds += row.seconds
      group.flops += row.flops
      group.bytes += row.bytes
      groups[row.kernel] = group
    }
    return groups.values.sorted { ($1.seconds, $0.kernel) < ($0.seconds, $1.kernel) }
  }

  /// The calls by the time that they lose against the best rates in this profile.
  var offenders: [(row: Row, lost: Double)] {
    // Calls shorter than this are timed too coarsely to set the roof.
    let long = rows.filter { $0.seconds / Double($0.calls) > 50e-6 }
    let compute = max(1, long.map(\.gigaflops).max() ?? 1) * 1e9
    let memory = max(1, long.map(\.gigabytes).max() ?? 1) * 1e9
    return rows.map { ($0, $0.seconds - max($0.flops / compute, $0.bytes / memory)) }
      .sorted { $0.lost > $1.lost }
  }

  var text: String {
    var calls = Table("instruction", "kernel", "time", "share %", "GFLOP/s", "GB/s")
    for row in rows {
      calls.add(
        row.name, row.kernel, row.seconds.duration, share(row.seconds), row.gigaflops.fixed(1),
        row.gigabytes.fixed(1))
    }
    var kernels = Table("kernel", "calls", "time", "share %", "GFLOP/s", "GB/s")
    for row in groups {
      kernels.add(
        row.kernel, "\(row.calls)", row.seconds.duration, share(row.seconds),
        row.gigaflops.fixed(1), row.gigabytes.fixed(1))
    }
    var worst = Table("worst offenders", "kernel", "time", "lost")
    for (row, lost) in offenders.prefix(10) where lost > 0 {
      worst.add(row.name, row.kernel, row.seconds.duration, lost.duration)
    }
    let rate = (program.flops / max(wallSeconds, 1e-9) / 1e9).fixed(1)
    let summary =
      "\(program.name): \(wallSeconds.duration) a run, \(total.duration) in kernels, "
      + "\(rate) GFLOP/s, \(program.threads) threads\n\(program.memorySummary)\n"
    return [calls.text, kernels.text, worst.text, summary].joined(separator: "\n")
  }

  func json(_ model: Model, _ batch: Int) -> JSON {
    [
      "model": .string(model.name), "batch": .int(batch), "program": .string(program.name),
      "threads": .int(program.threads), "seconds": .double(wallSeconds),
      "kernel_seconds": .double(total), "flops": .double(program.flops),
      "arena_bytes": .int(program.arenaBytes), "external_bytes": .int(program.externalBytes),
      "instructions": .array(rows.map(json)), "kernels": .array(groups.map(json)),
    ]
  }

  private func json(_ row: Row) -> JSON {
    [
      "name": .string(row.name), "kernel": .string(row.kernel), "calls": .int(row.calls),
      "seconds": .double(row.seconds), "flops": .double(row.flops), "bytes": .double(row.bytes),
    ]
  }

  private func share(_ seconds: Double) -> String { (100 * seconds / max(total, 1e-12)).fixed(1) }
}
