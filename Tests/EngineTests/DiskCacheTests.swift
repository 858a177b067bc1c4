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
    let code = Data(repeating: 7, count: 1000)
    for index in 0..<20 { cache.write(.fused, "key \(index)", about: "test", code) }
    let files = try FileManager.default.contentsOfDirectory(atPath: path)
    #expect(files.count == 4)
  }

  /// What was used last stays.
  @Test func forgetsWhatWasNotUsed() throws {
    let (path, problems) = (folder(), Problems())
    defer { try? FileManager.default.removeItem(atPath: path) }
    let cache = try cache(path, limit: 2500, problems)
    for key in ["a", "b"] {
      cache.write(.fused, key, about: "test", Data(repeating: 1, count: 1000))
      usleep(20_000)
    }
    #expect(cache.read(.fused, "a") != nil)
    usleep(20_000)
    cache.write(.program, "c", about: "a program", Data(repeating: 1, count: 1000))
    #expect(cache.read(.fused, "b") == nil)
    #expect(cache.read(.fused, "a") != nil && cache.read(.program, "c") != nil)
    #expect(cache.read(.fused, "c") == nil)
    #expect(Set(try cache.entries().map(\.about)) == ["test", "a program"])
    try cache.clear()
    #expect(try cache.entries().isEmpty)
  }

  @Test func limitsHoldForAll() throws {
    let (path, problems) = (folder(), Problems())
    defer { try? FileManager.default.removeItem(atPath: path) }
    let cache = try #require(DiskCache(folder: path))
    #expect(cache.limit == DiskCache.defaultLimit)
    for key in ["a", "b"] { cache.write(.fused, key, about: "test", Data(count: 1000)) }
    try cache.setLimit(1500)
    #expect(try #require(DiskCache(folder: path)).limit == 1500)
    #expect(try cache.entries().count == 1)
    try cache.setLimit(0)
    cache.write(.fused, "c", about: "test", Data(count: 10))
    #expect(try cache.entries().isEmpty)
    _ = problems
  }

  /// Where nothing can be written there is no cache, and one problem is told.
  @Test func goesWithoutAFolder() throws {
    let (path, problems) = (folder(), Problems())
    let cache = try cache(path, problems)
    try FileManager.default.removeItem(atPath: path)
    cache.write(.fused, "a", about: "test", Data(count: 10))
    #expect(cache.read(.fused, "a") == nil)
    #expect(problems.list.withLock { $0.count } == 1)
    #expect(DiskCache(folder: "/dev/null/clat") == nil)
  }

  /// A program of the cache is the program that was compiled; a damaged one is compiled again.
  @Test func programs() throws {
    let (path, problems) = (folder(), Problems())
    defer { try? FileManager.default.removeItem(atPath: path) }
    let cache = try cache(path, problems)
    let attack = try SmallAttack("small-cnn")
    func program(_ request: CompileRequest = CompileRequest()) throws -> Program {
      try Compiler.program(
        attack.graph, request, options: .init(threads: 2), cache: cache, minimumNodes: 0
      ).program
    }
    func result(_ program: Program) throws -> [Float] {
      let executable = try Executable(program, store: attack.store())
      executable.run()
      return try executable.floats("gradient")
    }
    let compiled = try program()
    #expect(try cache.entries().count == 1)
    let read = try program()
    #expect(try cache.entries().count == 1 && read.text == compiled.text)
    #expect(try result(read) == result(compiled))
    _ = try program(CompileRequest(convolution: .direct))
    #expect(try cache.entries().count == 2)
    for name in try FileManager.default.contentsOfDirectory(atPath: path) {
      let file = URL(fileURLWithPath: path + "/" + name)
      try Data(contentsOf: file).dropLast(7).write(to: file)
    }
    #expect(try program().text == compiled.text)
    #expect(problems.list.withLock { $0.count } == 1)
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
