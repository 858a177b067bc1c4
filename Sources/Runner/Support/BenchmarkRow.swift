import Engine
import Storage

/// One line of a benchmark's result.
struct BenchmarkRow {
  var model: String
  var batch: Int
  var work: Work
  /// Of every attack.
  var steps: Int
  var engine: EngineName
  var threads: Int
  var compileSeconds: Double
  var peakBytes: Int?
  /// The machine's multiply-add limit, operations a second.
  var limit: Double
  /// Operations of one run, a convolution's counted as direct.
  var flops: Double?
  var seconds: [Double] = []
  /// The eager engine's median on the same work.
  var eagerMedian: Double?

  var median: Double {
    let sorted = seconds.sorted()
    let middle = sorted.count / 2
    return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
  }

  var best: Double { seconds.min() ?? 0 }
  /// How many times as long the eager engine takes.
  var speedup: Double? { eagerMedian.map { $0 / median } }
  private var flopsPerSecond: Double? { flops.map { $0 / median } }

  var json: JSON {
    [
      "model": .string(model), "batch": .int(batch), "work": .string(work.rawValue),
      "steps": .int(steps), "engine": .string(engine.rawValue), "median_seconds": .double(median),
      "best_seconds": .double(best), "peak_bytes": peakBytes.map(JSON.int) ?? .null,
      "compile_seconds": .double(compileSeconds), "threads": .int(threads),
      "speedup": speedup.map(JSON.double) ?? .null, "flops": flops.map(JSON.double) ?? .null,
      "limit_flops_per_second": .double(limit),
    ]
  }

  static func text(_ rows: [BenchmarkRow]) -> String {
    var table = Table(
      "work", "engine", "median", "best", "images/s", "GFLOP/s", "limit %", "peak MB", "compile",
      "eager/it")
    for row in rows {
      let rate = row.flopsPerSecond
      table.add(
        row.work.rawValue, row.engine.rawValue, row.median.duration, row.best.duration,
        (Double(row.batch) / row.median).fixed(1), rate.map { ($0 / 1e9).fixed(1) } ?? "",
        rate.map { (100 * $0 / row.limit).fixed(1) } ?? "",
        row.peakBytes.map { (Double($0) / 1e6).fixed(1) } ?? "", row.compileSeconds.duration,
        row.speedup?.fixed(2) ?? "")
    }
    return table.text
  }

  /// Bars of images a second by work; the work's limit is a line.
  static func plot(_ rows: [BenchmarkRow], _ limits: MachineLimits) -> String {
    let groups = rows.reduce(into: [(work: Work, rows: [BenchmarkRow])]()) { groups, row in
      if groups.last?.work == row.work {
        groups[groups.count - 1].rows.append(row)
      } else {
        groups.append((row.work, [row]))
      }
    }
    let title = rows.first.map { "\($0.model), batch \($0.batch), \($0.threads) threads" } ?? ""
    return BarPlot(
      title: title, unit: "images a second",
      panels: groups.map { group in
        let flops = group.rows.compactMap(\.flops).first
        return BarPlot.Panel(
          title: group.work.rawValue,
          bars: group.rows.map { row in
            (row.engine.rawValue, Double(row.batch) / row.median, row.median.duration)
          },
          limit: flops.map { limits.flopsPerSecond * Double(group.rows[0].batch) / $0 })
      }
    ).text
  }
}
