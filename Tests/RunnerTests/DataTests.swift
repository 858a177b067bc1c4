import Foundation
import Testing

extension RunnerTests {
  /// `datasets`, and what `profile` says of data.
  @Suite struct DataTests {
    let runner: Runner

    init() throws { runner = try Runner() }

    /// Records of CIFAR-10's form: `count` black aeroplanes.
    private func writeRecords(_ name: String, count: Int) throws {
      try Data(count: count * 3073).write(to: URL(fileURLWithPath: runner.path(name)))
    }

    @Test func lists() throws {
      let text = try runner.run("datasets", "list").output
      let list = try #require(
        try runner.run("datasets", "--json").json() as? [[String: Any]])
      for archive in list {
        let name = try #require(archive["name"] as? String)
        #expect(text.contains("\n\(name) ") && archive["files"] is [[String: String]])
      }
      #expect(list.count >= 5 && text.contains("\ndigits "))
    }

    @Test func shows() throws {
      let result = try runner.run("datasets", "show", "--data", "digits", "--out", "digits.png")
      for part in ["train: 1437 images of 8x8x1, 10 classes", "test: 360", "mean 0.3054", "note:"] {
        #expect(result.output.contains(part), "\(result.output)")
      }
      let signature: [UInt8] = [0x89, 0x50, 0x4E, 0x47]
      #expect(try [UInt8](runner.bytes("digits.png").prefix(4)) == signature)
      let splits = try runner.run(
        "datasets", "show", "--data", "digits", "--split", "test", "--json"
      ).json() as? [[String: Any]]
      let classes = try #require(splits?.first?["classes"] as? [[String: Any]])
      #expect(splits?.count == 1 && classes.count == 10)
      #expect(classes.reduce(0) { $0 + ($1["images"] as? Int ?? 0) } == 360)
      let columns = try runner.run("datasets", "show", "--data", "digits", "--columns", "0")
      #expect(columns.code == 64 && columns.error.contains("--columns 0"))
    }

    /// A name of one letter, as of any length.
    @Test func showsAFile() throws {
      try writeRecords("z", count: 3)
      let shown = try runner.run("datasets", "show", "--data", "z", "--split", "train")
      #expect(shown.output.contains("cifar-10 train: 3 images of 32x32x3"), "\(shown.error)")
      let missing = try runner.run("datasets", "show", "--data", "x")
      #expect(missing.code == 66 && missing.error.contains("x: not found, expected 'digits'"))
    }

    @Test func fetchSaysWhatToDo() throws {
      let refused = try runner.run(
        "datasets", "fetch", "cifar10", "--mirror", "http://127.0.0.1:1", "--to", "data")
      #expect(refused.code == 66, "\(refused.error)")
      #expect(refused.error.contains("get https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"))
      #expect(refused.error.contains("put it into data, and run this again"))
      let unknown = try runner.run("datasets", "fetch", "cifar11")
      #expect(unknown.code == 64 && unknown.error.contains("'cifar11'"))
      #expect(unknown.error.contains("there are: cifar10, cifar100, mnist"))
    }

    @Test func profilesARecipe() throws {
      let recipe = try runner.recipe(epochs: 1)
      let profile = try runner.run("profile", "--recipe", recipe, "--steps", "2", "--json").object()
      #expect(profile["steps"] as? Int == 2 && profile["images"] as? Int == 128)
      #expect((0...1).contains(try #require(profile["data_wait"] as? Double)))
      // Of the five steps the first is not counted.
      let more = try runner.run("profile", "--recipe", recipe, "--steps", "5")
      #expect(more.code == 64 && more.error.contains("the recipe's epoch has 5 steps"))
      #expect(!FileManager.default.fileExists(atPath: runner.path("runs")))
    }

    @Test func profilesReading() throws {
      try writeRecords("records.bin", count: 40)
      let threads = ["--threads", "2", "--batch", "16", "--json"]
      let read = try runner.start(["profile", "--data", "records.bin"] + threads).wait()
      let rows = try #require(try read.json() as? [[String: Any]])
      #expect(rows.map { $0["threads"] as? Int } == [1, 2])
      #expect(rows.allSatisfy { $0["images"] as? Int == 40 && $0["data"] as? String == "cifar-10" })
      let missing = try runner.run("profile", "--data", "nowhere")
      #expect(missing.code == 66 && missing.error.contains("nowhere: not found"))
    }
  }
}
