import Foundation
import TestSupport

/// Changed files for one reader until its time is up, or until it breaks a promise: to return or to
/// throw an error of its own in one line, in a bounded time and memory.
///
/// What ends with a message or result that is new becomes part of the corpus. Every input is in a
/// file before it is read, which is what is left of a crash.
struct Campaign {
  static let mostSeconds = 5.0
  static let mostBytes = 64 << 20
  /// Resident bytes for a byte of the input.
  static let mostGrowth = 64
  /// Of an input.
  static let limit = 1 << 16

  let reader: Reader
  private(set) var inputs = 0
  private(set) var corpus: [[UInt8]]
  /// The file of the input that is being read.
  let file: String

  private var mutations: Mutations
  private var seen: Set<String> = []
  private let recorder: Recorder
  private let memory = try? ResidentMemory()

  init(_ reader: Reader, seed: UInt64) throws {
    self.reader = reader
    mutations = Mutations(seed: seed)
    corpus = try reader.corpus() + reader.findings
    file = NSTemporaryDirectory() + "clat-fuzz-\(reader.name)-\(getpid()).input"
    recorder = try Recorder(file)
  }

  /// - Returns: the promise that was broken, by the input that `file` then holds; nil if none was.
  mutating func run(seconds: Double) throws -> String? {
    let watch = Watch(reader.name, file)
    defer { watch.stop() }
    let end = threadSeconds() + seconds
    for seed in corpus { if let problem = try check(seed, watch) { return problem } }
    while threadSeconds() < end {
      let place = Int.random(in: corpus.indices, using: &mutations)
      let other = Int.random(in: corpus.indices, using: &mutations)
      let input = mutations.fuzzed(corpus[place], corpus[other], limit: Self.limit)
      if let problem = try check(input, watch) { return problem }
    }
    try FileManager.default.removeItem(atPath: file)
    return nil
  }

  private mutating func check(_ input: [UInt8], _ watch: Watch) throws -> String? {
    try recorder.record(input)
    inputs += 1
    watch.beat()
    let start = threadSeconds()
    let before = memory?.now() ?? 0, peak = memory?.peak() ?? 0
    let outcome = outcome(of: input)
    let grown = memory?.peak() ?? 0
    if case .failure(let problem) = outcome { return problem.text }
    let seconds = threadSeconds() - start
    guard seconds < Self.mostSeconds else { return "took \(seconds) s of the CPU" }
    guard grown == peak || grown - before <= Self.mostBytes + Self.mostGrowth * input.count else {
      return "took \((grown - before) >> 20) MB for \(input.count) bytes"
    }
    if case .success(let text) = outcome, corpus.count < 2048, seen.insert(kind(text)).inserted {
      corpus.append(input)
    }
    return nil
  }

  private struct Problem: Error { var text: String }

  private func outcome(of input: [UInt8]) -> Result<String, Problem> {
    do {
      return .success("read: " + (try reader.read(Data(input))))
    } catch {
      let text = "\(error)"
      guard reader.errors.contains(where: { $0 == type(of: error) }) else {
        return .failure(Problem(text: "threw \(type(of: error)): \(text)"))
      }
      guard !text.isEmpty, !reader.tellsInOneLine || !text.contains(where: \.isNewline) else {
        return .failure(Problem(text: "not one line: \(text)"))
      }
      return .success(text)
    }
  }

  /// A message without its numbers and names, which would make every one new.
  private func kind(_ text: String) -> String {
    var (kind, quote): (String, Character?) = ("", nil)
    for character in text where kind.utf8.count < 40 {
      if let open = quote {
        if character == open { quote = nil }
      } else if character == "'" || character == "\"" {
        quote = character
      } else if !character.isNumber || kind.last != "0" {
        kind.append(character.isNumber ? "0" : character)
      }
    }
    return kind
  }
}
