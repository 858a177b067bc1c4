import Foundation
import Testing

extension RunnerTests {
  /// `compile`, `run` and `cache`.
  @Suite struct CompiledTests {
    let runner: Runner
    static let network = ["--model", "resnet20:width=4", "--batch", "32"]
    static let attack = ["--attack", "pgd", "--eps", "0.15", "--step", "0.05", "--steps", "3"]

    init() throws { runner = try Runner() }

    /// A folder of the test's own as the cache.
    private var ownCache: String { "export XDG_CACHE_HOME='\(runner.path("cache"))'" }

    private func run(_ arguments: [String]) throws -> Result {
      try runner.start(arguments, shell: ownCache).wait()
    }

    private func trained() throws {
      let recipe = try runner.recipe(epochs: 1)
      let result = try run([
        "train", recipe, "--out", "run", "--set", "model.name=resnet20:width=4",
        "--set", "base.method=standard",
      ])
      #expect(result.code == 0, "\(result.error)")
    }

    private func compile(_ out: String, _ more: [String] = []) throws {
      let image = ["--image", "8x8x1", "-o", out]
      let result = try run(["compile"] + Self.network + Self.attack + image + more)
      #expect(result.code == 0, "\(result.error)")
    }

    /// The same accuracies, and the same bits of images and logits, as `evaluate`.
    @Test func runsAsEvaluateDoes() throws {
      try trained()
      try compile("net.clat", ["--last-batch", "8"])
      let images = ["--weights", "run", "--data", "digits", "--count", "40", "--json"]
      let compiled = try run(
        ["run", "net.clat", "--save-adversarial", "a.safetensors"] + images)
      let evaluated = try run(
        ["evaluate", "--save-adversarial", "b.safetensors"] + Self.network + Self.attack + images)
      #expect(compiled.code == 0 && compiled.errorLines.isEmpty, "\(compiled.error)")
      let (first, second) = (try compiled.object(), try evaluated.object())
      for key in ["count", "clean_correct", "robust_correct", "clean_loss"] {
        #expect(first[key] as? Double == second[key] as? Double && first[key] != nil, "\(key)")
      }
      #expect(try runner.bytes("a.safetensors") == runner.bytes("b.safetensors"))
    }

    /// Everything that is wrong with a file is one line and 65.
    @Test func refusesFiles() throws {
      try compile("net.clat")
      let whole = try runner.bytes("net.clat")
      func refused(_ data: Data, _ reason: String) throws {
        try data.write(to: URL(fileURLWithPath: runner.path("bad.clat")))
        let result = try run(["run", "bad.clat", "--time"])
        #expect(result.code == 65 && result.errorLines.count == 1, "\(result.error)")
        #expect(result.error.contains("bad.clat") && result.error.contains(reason))
      }
      try refused(Data(), "not a program file")
      try refused(Data("something else".utf8), "not a program file")
      try refused(whole.prefix(whole.count / 2), "bytes where")
      var flipped = whole
      flipped[whole.count / 2] ^= 4
      try refused(flipped, "checksum")
      #expect(try run(["run", "missing.clat", "--time"]).code == 66)
      #expect(try run(["run", "net.clat"]).code == 64)
      #expect(try run(["run", "net.clat", "--time", "--runs", "1"]).code == 0)
      #expect(try run(["compile", "--model", "resnet20", "-o", "no/such/folder/x"]).code == 73)
    }

    /// `profile` measures what is in a file; only an evaluation runs on data.
    @Test func profilesAFile() throws {
      try compile("net.clat", ["--last-batch", "8"])
      let profile = try run(["profile", "--compiled", "net.clat", "--runs", "1", "--json"])
      let rows = try #require(try profile.json() as? [[String: Any]])
      #expect(rows.map { $0["batch"] as? Int } == [32, 32, 32, 8, 8, 8], "\(profile.error)")
      #expect(rows.allSatisfy { $0["model"] as? String == "resnet20:width=4" })
      for row in rows { #expect((row["kernels"] as? [Any])?.isEmpty == false) }
      try compile("attack.clat", ["--program", "attack"])
      let text = try run(["profile", "--compiled", "attack.clat", "--runs", "1"])
      #expect(text.output.contains("worst offenders") && text.output.contains("attack: "))
      let refused = try run(["run", "attack.clat", "--weights", "w", "--data", "digits"])
      #expect(refused.code == 64 && refused.errorLines.count == 1, "\(refused.error)")
      #expect(refused.error.contains("compile with --program evaluate and --attack"))
      #expect(try run(["profile", "--compiled", "none.clat"]).code == 66)
    }

    /// Two processes that fill one cache at once have the same result as one that finds it filled.
    @Test func processesShareACache() throws {
      try trained()
      _ = try run(["cache", "clear"])
      let arguments =
        ["evaluate"] + Self.network + Self.attack
        + ["--weights", "run", "--data", "digits", "--count", "64", "--json", "--save-adversarial"]
      let started = try ["a", "b"].map { name in
        let other = try Runner()
        try FileManager.default.copyItem(atPath: runner.path("run"), toPath: other.path("run"))
        return (other, try other.start(arguments + [name], shell: ownCache))
      }
      let results = try started.map { try $0.1.wait() }
      let warm = try run(arguments + ["c"])
      for result in results + [warm] {
        #expect(result.code == 0 && result.errorLines.count == 1, "\(result.error)")
      }
      let bytes = try started.enumerated().map { try $0.element.0.bytes(["a", "b"][$0.offset]) }
      #expect(try bytes[0] == bytes[1] && bytes[0] == runner.bytes("c"))
      let shown = try run(["cache", "--json"]).object()
      let kinds = try #require(shown["entries"] as? [[String: Any]]).map { $0["kind"] as? String }
      #expect(kinds == ["program", "program", "program"])
      #expect(try run(["cache"]).output.contains("attack, "))
      #expect(try run(["cache", "limit", "1kB"]).code == 0)
      #expect(try run(["cache"]).output.contains("0 entries"))
      #expect(try run(["cache", "limit", "many"]).code == 64)
    }
  }
}
