import Engine
import Foundation
import Storage

/// Answers requests to run a work once, or to measure the machine's limits.
struct BenchmarkServer {
  let works: [Work]
  let threads: Int
  let prepare: (Work) throws -> any PreparedWork
  private var prepared: [Work: any PreparedWork] = [:]

  init(works: [Work], threads: Int, prepare: @escaping (Work) throws -> any PreparedWork) {
    self.works = works
    self.threads = threads
    self.prepare = prepare
  }

  /// The answer to one line. The first run of a work includes its preparation.
  ///
  /// - Throws: Failure (65) for a line that is no request.
  mutating func answer(_ line: String) throws -> JSON {
    let request = try? JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
    guard let name = request?["run"] as? String else {
      throw Failure.badData("standard input: expected {\"run\": NAME}, found '\(line)'")
    }
    if name == "limits" { return try limits() }
    guard let work = works.first(where: { $0.rawValue == name }) else {
      let known = works.map(\.rawValue).joined(separator: ", ")
      throw Failure.badData("standard input: work '\(name)'; expected \(known) or limits")
    }
    let start = ContinuousClock.now
    let item = try prepared[work] ?? prepare(work)
    prepared[work] = item
    try item.run()
    let seconds = (ContinuousClock.now - start) / .seconds(1)
    return [
      "seconds": .double(seconds), "peak_bytes": ProcessMemory.peak.map(JSON.int) ?? .null,
      "flops": item.flops.map(JSON.double) ?? .null,
    ]
  }

  private func limits() throws -> JSON {
    let limits = try MachineLimits.measure(threads: threads)
    ProcessMemory.resetPeak()  // the measurement's own arrays do not count
    return [
      "flops_per_second": .double(limits.flopsPerSecond),
      "bytes_per_second": .double(limits.bytesPerSecond),
    ]
  }
}
