import Foundation
import Testing

/// What the environment says.
enum Settings {
  private static let environment = ProcessInfo.processInfo.environment
  /// For each reader.
  static let seconds = environment["CLAT_FUZZ_SECONDS"].flatMap(Double.init)
  static let seed = environment["CLAT_FUZZ_SEED"].flatMap { UInt64($0) } ?? 0
  /// Readers, with commas; all by default.
  static let only = environment["ONLY"]?.split(separator: ",").map(String.init)
  static let readers = Reader.all.filter { only?.contains($0.name) ?? true }
}

/// Files that nobody wrote: every reader of files refuses them in one line or reads them.
///
/// Run with `CLAT_FUZZ_SECONDS=600 swift test --filter FuzzTests`, alone in its process, since
/// memory is measured; `CLAT_FUZZ_SEED` gives other inputs.
@Suite(
  .serialized, .enabled(if: Settings.seconds != nil, "CLAT_FUZZ_SECONDS is not set: no fuzzing"))
struct FuzzTests {
  @Test(arguments: Settings.readers) func everyInputIsReadOrRefused(_ reader: Reader) throws {
    var campaign = try Campaign(reader, seed: Settings.seed)
    let seeds = campaign.corpus.count
    if let problem = try campaign.run(seconds: Settings.seconds ?? 0) {
      Issue.record("\(reader.name): \(problem)\ninput: \(campaign.file)")
    }
    print(
      "fuzz: \(reader.name): \(campaign.inputs) inputs in \(Settings.seconds ?? 0) s, "
        + "\(seeds) seeds, \(campaign.corpus.count - seeds) more that ended differently")
    #expect(campaign.corpus.count > seeds)
  }
}
