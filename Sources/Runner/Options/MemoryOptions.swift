import ArgumentParser
import Engine

/// A number of bytes, as `--memory 2GiB` or `--memory 800MB` gives it.
struct ByteCount: ExpressibleByArgument {
  var bytes: Int

  init?(argument: String) {
    let units = ["KiB": 10, "MiB": 20, "GiB": 30, "TiB": 40].mapValues { 1 << $0 }
      .merging(["kB": 1000, "MB": 1_000_000, "GB": 1_000_000_000, "B": 1]) { $1 }
    let unit = units.keys.filter { argument.hasSuffix($0) }.max { $0.count < $1.count }
    let number = Double(argument.dropLast(unit?.count ?? 0)) ?? -1
    let value = number * Double(unit.flatMap { units[$0] } ?? 1)
    guard value >= 1, value < 1e18 else { return nil }
    bytes = Int(value)
  }
}

/// How much memory may be used.
struct MemoryOptions: ParsableArguments {
  @Option(
    help: "Memory that may be used, 2GiB or 800MB; what the system has available unless given.")
  var memory: ByteCount?

  /// What is going to be kept in memory, in one line, before anything runs.
  ///
  /// - Parameters:
  ///   - place: the setting of the batch size: `--batch`.
  ///   - footprint: plans the work for a batch size.
  /// - Throws: Failure (64) with the largest batch that fits, where this one does not.
  func check(
    _ place: String, batch: Int,
    _ footprint: (Int) throws -> MemoryFootprint
  ) throws -> String {
    let planned = try footprint(batch)
    let needed = MemoryFootprint.megabytes(planned.bytes)
    guard let budget = memory?.bytes ?? AvailableMemory.bytes, planned.bytes > budget else {
      return "memory \(needed): \(planned.text)"
    }
    let largest = try MemoryFootprint.largestBatch(
      upTo: batch - 1, within: budget, footprint)
    let advice =
      largest.map { "the largest batch that fits is \($0)" } ?? "not even a batch of 1 fits"
    throw Failure.usage(
      "\(place) \(batch): needs \(needed) of memory (\(planned.text)), "
        + "\(MemoryFootprint.megabytes(budget)) are available; \(advice)")
  }
}
