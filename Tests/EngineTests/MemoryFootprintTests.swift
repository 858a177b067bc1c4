import Engine
import Foundation
import IR
import Testing

@Suite struct MemoryFootprintTests {
  @Test func partsOfAnAttack() throws {
    let attack = try SmallAttack()
    let program = try Compiler.compile(attack.graph, options: .init(threads: 2)).program
    let footprint = MemoryFootprint(
      [("attack", program), ("again", program)], others: [.init("data set", bytes: 77)])
    let parts = Dictionary(uniqueKeysWithValues: footprint.parts.map { ($0.name, $0.bytes) })
    #expect(parts["arena of attack"] == program.arenaBytes)
    #expect(parts["arena of again"] == nil, "programs of one store share its arena")
    #expect(parts["scratch"] == 2 * Program.scratchBytes)
    #expect(parts["data set"] == 77)
    let tensors = (parts["parameters"] ?? 0) + (parts["batch"] ?? 0)
    #expect(tensors == program.inputs.reduce(0) { $0 + $1.type.byteCount })
    #expect(footprint.bytes == parts.values.reduce(0, +))
  }

  @Test(arguments: [0, 9, 10, 95, 1000]) func largestBatchFits(_ budget: Int) {
    func footprint(_ batch: Int) -> MemoryFootprint {
      MemoryFootprint([], others: [.init("images", bytes: 10 * batch)])
    }
    let expected = min(50, budget / 10)
    let largest = MemoryFootprint.largestBatch(upTo: 50, within: budget, footprint)
    #expect(largest == (expected > 0 ? expected : nil))
  }

  @Test func controlGroupsLimitWhatIsAvailable() throws {
    let root = NSTemporaryDirectory() + "clat-memory-" + UUID().uuidString
    defer { try? FileManager.default.removeItem(atPath: root) }
    func write(_ file: String, _ text: String) throws {
      let folder = (root + "/" + file as NSString).deletingLastPathComponent
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
      try text.write(toFile: root + "/" + file, atomically: true, encoding: .utf8)
    }
    func available(_ membership: String) throws -> Int? {
      try write("membership", membership)
      return AvailableMemory.bytes(
        meminfo: root + "/meminfo", membership: root + "/membership", root: root)
    }
    try write("meminfo", "MemTotal:  9000 kB\nMemAvailable:    8000 kB\n")
    try write("a/memory.max", "3000000\n")
    try write("a/memory.current", "1000000\n")
    try write("a/memory.stat", "anon 5\ninactive_file 400000\n")
    try write("a/b/memory.max", "max\n")
    try write("a/b/memory.current", "10\n")
    try write("memory/job/memory.limit_in_bytes", "500000\n")
    try write("memory/job/memory.usage_in_bytes", "600000\n")
    #expect(try available("0::/\n") == 8_192_000)
    #expect(try available("0::/a\n") == 2_400_000)
    #expect(try available("0::/a/b\n") == 2_400_000)
    #expect(try available("4:memory:/job\n0::/a\n") == 0)
    #expect(try available("4:cpu:/job\n") == 8_192_000)
  }
}
