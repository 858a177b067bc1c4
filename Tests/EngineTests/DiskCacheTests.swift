import Foundation
import IR
import Synchronization
import Testing

@testable import Engine

@Suite struct DiskCacheTests {
  private func folder() -> String {
    NSTemporaryDirectory() + "clat-code-\(UUID().uuidString)"
  }

  private final class Problems: Sendable {
    let list = Mutex<[String]>([])
  }

  private func cache(_ folder: String, limit: Int = 1 << 20, _ problems: Problems) throws
    -> DiskCache
  {
    var cache = try #require(DiskCache(folder: folder, limit: limit))
    cache.onProblem = { text in problems.list.withLock { $0.append(text) } }
    return cache
  }

  @Test func keepsCodeByKey() throws {
    let (path, problems) = (folder(), Problems())
    defer { try? FileManager.default.removeItem(atPath: path) }
    let cache = try cache(path, problems)
    #expect(cache.read(.fused, "a") == nil)
    cache.write(.fused, "a", about: "test", Data([1, 2, 3]))
    cache.write(.fused, "b", about: "test", Data([4]))
    #expect(cache.read(.fused, "a") == Data([1, 2, 3]))
    #expect(cache.read(.fused, "b") == Data([4]))
    #expect(problems.list.withLock { $0 }.isEmpty)
  }

  /// Every damaged byte is noticed, told, and the code made anew.
  @Test func ignoresDamagedFiles() throws {
    let (path, problems) = (folder(), Problems())
    defer { try? FileManager.default.removeItem(atPath: path) }
    let cache = try cache(path, problems)
    cache.write(.fused, "key", about: "test", Data(0..<50))
    let name = try #require(FileManager.default.contentsOfDirectory(atPath: path).first)
    let file = URL(fileURLWithPath: path + "/" + name)
    let whole = try Data(contentsOf: file)
    for index in whole.indices {
      var damaged = whole
      damaged[index] ^= 0x20
      try damaged.write(to: file)
      #expect(cache.read(.fused, "key") == nil, "byte \(index)")
    }
    for count in [0, 5, whole.count - 1] {
      try whole.prefix(count).write(to: file)
      #expect(cache.read(.fused, "key") == nil)
    }
    #expect(problems.list.withLock { $0.count } == whole.count + 3)
    #expect(problems.list.withLock { $0.allSatisfy { $0.contains(name) } })
    try whole.write(to: file)
    #expect(cache.read(.fused, "key") == Data(0..<50))
  }

  @Test func staysBelowItsLimit() throws {
    let (path, problems) = (folder(), Problems())
    defer { try? FileManager.default.removeItem(atPath: path) }
    let cache = try cache(path, limit: 5000, problems)
    for index in 0..<20 { cache.write(.fused, "key \(index)", about: "test", Data(repeating: 7, count: 1000)) }
    let files = try FileManager.default.contentsOfDirectory(atPath: path)
    #expect(files.count == 4)
  }

  /// What others may write to is not executed.
  @Test func refusesFoldersOfOthers() throws {
    let path = folder()
    defer { try? FileManager.default.removeItem(atPath: path) }
    try FileManager.default.createDirectory(
      atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o777])
    try FileManager.default.setAttributes([.posixPermissions: 0o777], ofItemAtPath: path)
    #expect(DiskCache(folder: path, limit: 100) == nil)
  }

  @Test(.enabled(if: FusedTests.backends.contains(.llvm), "LLVM is not installed"))
  func compiledCodeIsFoundAgain() throws {
    let path = folder()
    defer { try? FileManager.default.removeItem(atPath: path) }
    let problems = Problems()
    let region = try #require(
      OpRegistry.definition("fused").samples[0].attributes.region("body"))
    let (program, _) = try LaneProgram.plan(region)
    func translations() throws -> Int {
      let compiler = FusedCompiler(try LLVMLibrary.shared.get(), cache: try cache(path, problems))
      _ = try compiler.kernel(program, .best)
      _ = try compiler.kernel(program, .best)
      return compiler.translated
    }
    #expect(try translations() == 1)
    #expect(try translations() == 0)
    for name in try FileManager.default.contentsOfDirectory(atPath: path) {
      try Data("damaged".utf8).write(to: URL(fileURLWithPath: path + "/" + name))
    }
    #expect(try translations() == 1)
    #expect(problems.list.withLock { $0.count } == 1)
  }
}
