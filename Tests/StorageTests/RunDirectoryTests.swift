import Foundation
import Testing

@testable import Storage

@Suite struct RunDirectoryTests {
  @Test func aNewRunHasItsFiles() throws {
    let folder = try TestFolder()
    let run = try RunDirectory.create(at: folder.file("new/run"), recipe: "a: 1\n")
    #expect(try run.recipe() == "a: 1\n")
    try run.log("two\nlines")
    #expect(
      folder.text("new/run/log.txt").wholeMatch(of: /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ two lines\n/)
        != nil)
    try run.save(Checkpoint(epoch: 0, step: 1, model: []))
    #expect(run.checkpoints.paths().count == 1)
    run.close()
    #expect(
      Set(try FileManager.default.contentsOfDirectory(atPath: run.path)) == [
        "recipe.yaml", "metrics.jsonl", "metrics.csv", "log.txt", "checkpoints",
      ])
  }

  @Test func foreignAndUsedFoldersAreRefused() throws {
    let folder = try TestFolder()
    try folder.write("thesis.tex", Data([1]))
    #expect(
      message { try RunDirectory.create(at: folder.path, recipe: "") }
        == "\(folder.path): not empty ('thesis.tex') and not a run: name a new or empty folder")
    #expect(folder.names == ["thesis.tex"])
    #expect(
      message { try RunDirectory.open(at: folder.path) }
        == "\(folder.path): not a run: no recipe.yaml in it")
    let path = folder.file("run")
    let run = try RunDirectory.create(at: path, recipe: "")
    let used = "\(path): in use by process \(getpid()), which still runs"
    #expect(message { try RunDirectory.open(at: path) } == used)
    #expect(message { try RunDirectory.create(at: path, recipe: "") } == used)
    run.close()
    #expect(
      message { try RunDirectory.create(at: path, recipe: "") }
        == "\(path): holds a run already: resume it, or name another folder")
    #expect(
      message { try RunDirectory.create(at: folder.file("thesis.tex/run"), recipe: "") }
        .hasPrefix(folder.file("thesis.tex/run")))
  }

  @Test func theLockOfADeadProcessIsTakenOver() throws {
    let folder = try TestFolder()
    try RunDirectory.create(at: folder.file("run"), recipe: "").close()
    try folder.write("run/.lock", Data("99999999\n".utf8))
    let run = try RunDirectory.open(at: folder.file("run"))
    #expect(folder.text("run/.lock") == "\(getpid())\n")
    run.close()
  }

  @Test func metricsKeepOrderAndMirror() throws {
    let folder = try TestFolder()
    let run = try RunDirectory.create(at: folder.file("run"), recipe: "")
    try run.append(epoch: 0, step: 1, [("loss", .double(2.5)), ("lr", .float(0.1))])
    try run.append(epoch: 0, step: 2, [("loss", .double(.nan)), ("lr", .double(1e-20))])
    try run.append(
      epoch: 0, step: 2, [("robust", .int(3)), ("note", .string("a,\"b\"")), ("ok", .bool(true))])
    try run.append(epoch: 1, step: 0, [("note", .string("ü\n"))])
    #expect(
      folder.text("run/metrics.jsonl") == """
        {"epoch":0,"step":1,"loss":2.5,"lr":0.1}
        {"epoch":0,"step":2,"loss":null,"lr":1e-20}
        {"epoch":0,"step":2,"robust":3,"note":"a,\\"b\\"","ok":true}
        {"epoch":1,"step":0,"note":"ü\\n"}

        """)
    let csv = """
      epoch,step,loss,lr,robust,note,ok
      0,1,2.5,0.1,,,
      0,2,nan,1e-20,,,
      0,2,,,3,"a,""b""\",true
      1,0,,,,"ü
      ",

      """
    #expect(folder.text("run/metrics.csv") == csv)
    run.close()
    try FileManager.default.removeItem(atPath: run.csvPath)
    try RunDirectory.open(at: run.path).close()
    #expect(folder.text("run/metrics.csv") == csv)
    #expect(
      message { try run.append(epoch: 0, step: 0, [("step", .int(1))]) }
        == "\(run.metricsPath): metric 'step' is given twice")
  }

  @Test func resumingDropsWhatCameAfterTheCheckpoint() throws {
    let folder = try TestFolder()
    let run = try RunDirectory.create(at: folder.file("run"), recipe: "")
    for epoch in 0..<3 {
      for step in 1...3 { try run.append(epoch: epoch, step: step, [("loss", .int(step))]) }
    }
    run.close()
    // The process died in the middle of a line.
    let file = try #require(FileHandle(forWritingAtPath: run.metricsPath))
    try file.seekToEnd()
    try file.write(contentsOf: Data(#"{"epoch":2,"st"#.utf8))
    try file.close()
    let resumed = try RunDirectory.open(at: run.path)
    #expect(folder.text("run/metrics.jsonl").split(separator: "\n").count == 9)
    try resumed.truncateMetrics(afterEpoch: 1, step: 2)
    try resumed.append(epoch: 1, step: 3, [("loss", .int(7))])
    #expect(
      folder.text("run/metrics.jsonl").hasSuffix(
        """
        {"epoch":1,"step":2,"loss":2}
        {"epoch":1,"step":3,"loss":7}

        """))
    #expect(
      folder.text("run/metrics.csv") == """
        epoch,step,loss
        0,1,1
        0,2,2
        0,3,3
        1,1,1
        1,2,2
        1,3,7

        """)
    resumed.close()
    try folder.write("run/metrics.jsonl", Data("{\"epoch\":1,\"step\":2}\nx\n".utf8))
    #expect(
      message { try RunDirectory.open(at: run.path) }
        == "\(run.metricsPath): line 2: expected an object with epoch and step")
  }

  @Test func numbersAreWrittenShortestAndStable() {
    let values: JSON = [
      "a": 0.1, "b": .double(1.0 / 3), "c": .double(-0.0), "d": .double(1e22),
      "e": .double(.leastNonzeroMagnitude),
      "f": .double(.infinity), "g": [1, true, .null, "\u{1}"], "h": .int(.max), "i": [:],
    ]
    #expect(
      values.text()
        == #"{"a":0.1,"b":0.3333333333333333,"c":-0.0,"d":1e+22,"e":5e-324,"f":null,"#
        + #""g":[1,true,null,"\u0001"],"h":9223372036854775807,"i":{}}"#)
    #expect(
      (["a": [1, 2], "b": []] as JSON).text(indented: true) == """
        {
          "a": [
            1,
            2
          ],
          "b": []
        }
        """)
    #expect(MetricValue.float(0.1) == .double(0.1))
    #expect(MetricValue.float(.infinity) == .double(.infinity))
  }
}
