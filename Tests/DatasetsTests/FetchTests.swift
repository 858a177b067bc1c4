import Foundation
import Testing

@testable import Datasets

/// Whether the programs are there that downloads and their tests use.
private let hasPrograms = ["python3", "curl", "md5sum", "tar"].allSatisfy { program in
  (try? shell("command -v \(program)")) != nil
}

@discardableResult
private func shell(_ command: String) throws -> String {
  let process = Process()
  process.executableURL = URL(fileURLWithPath: "/bin/sh")
  process.arguments = ["-c", command]
  let pipe = Pipe()
  process.standardOutput = pipe
  try process.run()
  let data = pipe.fileHandleForReading.readDataToEndOfFile()
  process.waitUntilExit()
  guard process.terminationStatus == 0 else { throw FetchError("\(command) failed") }
  return String(decoding: data, as: UTF8.self)
}

/// Downloads from a server on this machine.
@Suite(.serialized, .enabled(if: hasPrograms, "needs python3, curl, md5sum and tar"))
final class FetchTests {
  let folder: TestFolder
  private let server = Process()
  private let mirror: String

  init() throws {
    folder = try TestFolder()
    try folder.write("srv/empty", [])
    let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .appendingPathComponent("range_server.py").path
    let port = folder.path + "/port"
    server.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    server.arguments = ["python3", script, folder.path + "/srv", port, folder.path + "/log"]
    // What it would inherit would stay open, and keep whoever reads this test's output.
    server.standardOutput = FileHandle.nullDevice
    server.standardError = FileHandle.nullDevice
    try server.run()
    for _ in 0..<500 where !FileManager.default.fileExists(atPath: port) { usleep(20_000) }
    mirror = "http://127.0.0.1:\(try String(contentsOfFile: port, encoding: .utf8))/"
  }

  deinit { kill(server.processIdentifier, SIGKILL) }

  /// An archive `name` of CIFAR-10's form, with two records a file, in the server's folder.
  private func archive(_ name: String) throws -> Archive {
    let files = (1...5).map { "data_batch_\($0).bin" } + ["test_batch.bin"]
    for (salt, file) in files.enumerated() {
      try folder.write("made/cifar/\(file)", cifarRecords(.cifar10, count: 2, salt: salt))
    }
    try shell(
      "mkdir -p '\(folder.path)/srv' && "
        + "tar -czf '\(folder.path)/srv/\(name)' -C '\(folder.path)/made' cifar")
    let sum = try shell("md5sum '\(folder.path)/srv/\(name)'").prefix(32)
    return Archive(
      name: "small", about: "", address: "http://publisher.invalid/",
      files: [Archive.File(name: name, md5: String(sum))], folder: "cifar", isPacked: true,
      counts: [.train: 10, .test: 2])
  }

  private var log: String {
    (try? String(contentsOfFile: folder.path + "/log", encoding: .utf8)) ?? ""
  }

  @Test func downloadsChecksAndUnpacks() throws {
    let archive = try archive("small.tgz")
    let fetch = Fetch(archive, into: folder.path + "/data", mirror: mirror)
    try fetch.run()
    #expect(try Dataset.load(fetch.destination, split: .train).count == 10)
    #expect(ImageFolder.names(in: folder.path + "/data") == ["cifar", "small.tgz"])
    try fetch.run()
    #expect(log == "small.tgz None\n")
    try FileManager.default.removeItem(atPath: fetch.destination)
    try fetch.run()
    #expect(log == "small.tgz None\n")
  }

  /// A part that is there is taken up; a server without ranges sends all of it again.
  @Test(arguments: ["ranged.tgz", "plain.tgz"]) func interruptedDownloadsGoOn(_ name: String) throws
  {
    let archive = try archive(name)
    let whole = try Data(contentsOf: URL(fileURLWithPath: folder.path + "/srv/" + name))
    try folder.write("data/\(name).part", [UInt8](whole.prefix(100)))
    try Fetch(archive, into: folder.path + "/data", mirror: mirror).run()
    #expect(log.hasPrefix("\(name) bytes=100-\n"))
    #expect(log.split(separator: "\n").count == (name == "plain.tgz" ? 2 : 1))
    #expect(try Dataset.load(folder.path + "/data/cifar", split: .test).count == 2)
  }

  @Test func whatIsNotThePublishedFileIsRemoved() throws {
    let archive = try archive("small.tgz")
    try folder.write("srv/small.tgz", [1, 2, 3])
    let problem = message { try Fetch(archive, into: folder.path + "/data", mirror: mirror).run() }
    #expect(problem.contains("its MD5 is not") && !problem.contains("\n"))
    #expect(ImageFolder.names(in: folder.path + "/data").isEmpty)
  }

  @Test func withoutANetworkItSaysWhatToDo() throws {
    let archive = try archive("small.tgz")
    try FileManager.default.removeItem(atPath: folder.path + "/srv/small.tgz")
    let absent = message {
      try Fetch(archive, into: folder.path + "/data", mirror: mirror).run()
    }
    #expect(absent.contains("by hand: get http://publisher.invalid/small.tgz (MD5 "))
    let refused = message {
      try Fetch(archive, into: folder.path + "/data", mirror: "http://127.0.0.1:1").run()
    }
    #expect(refused.contains("put it into \(folder.path)/data, and run this again"))
    #expect(!refused.contains("\n"))
  }

  /// Files that are read as they are, such as MNIST's.
  @Test func plainFilesStayAsTheyAre() throws {
    try folder.write("srv/a.gz", [1, 2, 3])
    let sum = try shell("md5sum '\(folder.path)/srv/a.gz'").prefix(32)
    let archive = Archive(
      name: "plain", about: "", address: mirror,
      files: [Archive.File(name: "a.gz", md5: String(sum))], folder: "plain", isPacked: false,
      counts: [:])
    try Fetch(archive, into: folder.path + "/data").run()
    #expect(ImageFolder.names(in: folder.path + "/data/plain") == ["a.gz"])
  }

  @Test func theCatalogueIsWhole() {
    #expect(Set(Archive.all.map(\.name)).count == Archive.all.count)
    for file in Archive.all.flatMap(\.files) {
      #expect(file.md5.wholeMatch(of: /[0-9a-f]{32}/) != nil)
    }
  }
}
