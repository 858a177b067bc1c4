import Foundation
import Testing

/// What a finished process left.
struct Result {
  var code: Int32
  var output: String
  var error: String

  /// Standard error's lines.
  var errorLines: [Substring] { error.split(separator: "\n") }

  /// Standard output as JSON.
  func json() throws -> Any {
    try JSONSerialization.jsonObject(with: Data(output.utf8), options: [.fragmentsAllowed])
  }

  func object() throws -> [String: Any] { try #require(try json() as? [String: Any]) }
}

/// A folder for one test, and the built executable run in it.
final class Runner {
  let folder: String

  init() throws {
    folder = NSTemporaryDirectory() + "clat-runner-" + UUID().uuidString
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: folder) }

  func path(_ name: String) -> String { folder + "/" + name }

  @discardableResult
  func write(_ name: String, _ text: String) throws -> String {
    try text.write(toFile: path(name), atomically: true, encoding: .utf8)
    return path(name)
  }

  /// `clat` beside the test bundle.
  static var executable: String {
    let bundles = CommandLine.arguments + [Bundle.main.executablePath ?? ""]
    let folders = bundles.filter { $0.contains(".xctest") || $0.contains("clatPackageTests") }
      .map { URL(fileURLWithPath: $0).deletingLastPathComponent() }
    let candidates = folders.flatMap { [$0, $0.deletingLastPathComponent()] }.map {
      $0.appendingPathComponent("clat").path
    }
    return candidates.first(where: FileManager.default.isExecutableFile(atPath:)) ?? "clat"
  }

  func start(_ arguments: [String], shell: String? = nil) throws -> Running {
    let process = Process()
    if let shell {
      process.executableURL = URL(fileURLWithPath: "/bin/sh")
      process.arguments = ["-c", "\(shell); exec \"$0\" \"$@\"", Runner.executable] + arguments
    } else {
      process.executableURL = URL(fileURLWithPath: Runner.executable)
      process.arguments = arguments
    }
    process.currentDirectoryURL = URL(fileURLWithPath: folder)
    let running = try Running(process, output: path("stdout"), error: path("stderr"))
    try process.run()
    return running
  }

  func run(_ arguments: String..., shell: String? = nil) throws -> Result {
    try start(arguments, shell: shell).wait()
  }

  /// A recipe on the digits that takes well under a second an epoch.
  func recipe(_ name: String = "recipe.yaml", epochs: Int = 2, clat: Int = 0) throws -> String {
    try write(
      name,
      """
      model:
        name: small-cnn:width=8
      data:
        source: digits
        limit: 300
      base:
        method: pgd-at
        epochs: \(epochs)
      clat:
        epochs: \(clat)
        period: 2
        criticality_batch: 64
      attack:
        eps: 0.15
        step: 0.05
        steps: 3
      optimizer:
        batch_size: 64
      evaluation:
        count: 50
        steps: 2
        every: 0
      """)
  }

  func bytes(_ name: String) throws -> Data {
    try Data(contentsOf: URL(fileURLWithPath: path(name)))
  }

  /// Files in a run's checkpoint folder, sorted.
  func checkpoints(_ run: String) -> [String] {
    let names = try? FileManager.default.contentsOfDirectory(atPath: path(run + "/checkpoints"))
    return (names ?? []).filter { $0.hasSuffix(".safetensors") }.sorted()
  }
}

/// A started process whose output goes to files.
final class Running {
  let process: Process
  private let output: String
  private let error: String

  init(_ process: Process, output: String, error: String) throws {
    (self.process, self.output, self.error) = (process, output, error)
    for path in [output, error] {
      try Data().write(to: URL(fileURLWithPath: path))
    }
    process.standardOutput = FileHandle(forWritingAtPath: output)
    process.standardError = FileHandle(forWritingAtPath: error)
    process.standardInput = FileHandle.nullDevice
  }

  func signal(_ number: Int32) { kill(process.processIdentifier, number) }

  /// Polls until `condition` holds; false where the process ended or a minute passed before.
  func waits(until condition: () -> Bool) -> Bool {
    for _ in 0..<30_000 {
      if condition() { return true }
      if !process.isRunning { return condition() }
      usleep(2000)
    }
    return false
  }

  func wait() throws -> Result {
    process.waitUntilExit()
    func text(_ path: String) throws -> String { try String(contentsOfFile: path, encoding: .utf8) }
    let code =
      process.terminationReason == .exit
      ? process.terminationStatus : 128 + process.terminationStatus
    return Result(code: code, output: try text(output), error: try text(error))
  }
}
