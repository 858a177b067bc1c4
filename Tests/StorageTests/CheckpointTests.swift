import Foundation
import Testing

@testable import Storage

@Suite struct CheckpointTests {
  private func checkpoint(_ epoch: Int, _ step: Int, value: Float = 1) throws -> Checkpoint {
    let weights = try StoredTensor(name: "conv1.weight", shape: [2], values: [value, 2])
    let count = try StoredTensor(
      name: "bn1.num_batches_tracked", shape: [], values: [Int64(epoch)])
    return Checkpoint(
      epoch: epoch, step: step, model: [count, weights], optimizer: [weights],
      state: ["seed": "7", "recipe": "a: \"b\"\n", "selected": "[3,11]"])
  }

  @Test func roundTripsWithPlainModelNames() throws {
    let folder = try TestFolder()
    let path = folder.file("c.safetensors")
    let saved = try checkpoint(3, 17)
    try saved.write(to: path)
    #expect(try Checkpoint.read(path) == saved)
    let file = try Safetensors.read(path)
    #expect(
      Set(file.byName.keys) == [
        "bn1.num_batches_tracked", "conv1.weight", "optimizer.conv1.weight",
      ])
    #expect(Array(file.metadata.keys) == ["clat"])
    let first = FileManager.default.contents(atPath: path)
    try saved.write(to: path)
    #expect(FileManager.default.contents(atPath: path) == first)
  }

  @Test func whatCannotBeStoredIsRefused() throws {
    let folder = try TestFolder()
    var wrong = try checkpoint(0, 0)
    wrong.state["epoch"] = "1"
    #expect(message { try wrong.write(to: "f") } == "f: state 'epoch': the name is taken")
    wrong = try checkpoint(0, 0)
    wrong.model.append(try StoredTensor(name: "optimizer.x", shape: [], values: [1] as [Float]))
    #expect(
      message { try wrong.write(to: "f") }
        == "f: model tensor 'optimizer.x': the prefix is the optimizer's")
    let path = folder.file("plain")
    try Safetensors(tensors: []).write(to: path)
    #expect(
      message { try Checkpoint.read(path) } == "\(path): no checkpoint: metadata 'clat' expected")
  }

  /// Every bit counts: a flip is refused or, in the padding and the like, changes nothing.
  @Test func anyFlippedBitIsFound() throws {
    let folder = try TestFolder()
    let saved = try checkpoint(3, 17)
    try saved.write(to: folder.file("c"))
    let good = try #require(FileManager.default.contents(atPath: folder.file("c")))
    var refused = 0
    for bit in 0..<good.count * 8 {
      var bytes = good
      bytes[bit / 8] ^= 1 << UInt8(bit % 8)
      try folder.write("d", bytes)
      do {
        #expect(try Checkpoint.read(folder.file("d")) == saved)
      } catch {
        #expect((error as? StorageError)?.kind == .damaged, "\(error)")
        refused += 1
      }
    }
    #expect(refused > good.count * 8 * 9 / 10)
  }

  @Test func theLatestWholeFileIsTaken() throws {
    let folder = try TestFolder()
    let store = CheckpointStore(folder: folder.file("checkpoints"))
    #expect(store.latest { _ in } == nil && store.paths().isEmpty)
    for step in [1, 20, 3] { try checkpoint(0, step).write(to: try path(store, 0, step)) }
    try checkpoint(12, 0).write(to: try path(store, 12, 0))
    var warnings: [String] = []
    #expect(store.latest { warnings.append($0) }?.checkpoint.epoch == 12 && warnings.isEmpty)
    let newest = try path(store, 12, 0)
    let whole = try #require(FileManager.default.contents(atPath: newest))
    for torn in [0, 5, 8, 100, whole.count - 1] {
      try whole.prefix(torn).write(to: URL(fileURLWithPath: newest))
      warnings = []
      #expect(store.latest { warnings.append($0) }?.checkpoint.step == 20)
      #expect(warnings.count == 1 && warnings[0].hasPrefix(newest))
    }
  }

  private func path(_ store: CheckpointStore, _ epoch: Int, _ step: Int) throws -> String {
    try createFolder(store.folder)
    return store.folder + "/epoch-\(epoch)-step-\(step).safetensors"
  }

  @Test func onlyTheLastAreKept() throws {
    let folder = try TestFolder()
    let store = CheckpointStore(folder: folder.file("c"))
    try createFolder(store.folder)
    try folder.write("c/best.safetensors", Data([1]))
    for step in 0..<5 { try store.save(checkpoint(1, step), keep: 3) }
    #expect(
      store.paths().map { ($0 as NSString).lastPathComponent } == [
        "epoch-00001-step-000002.safetensors", "epoch-00001-step-000003.safetensors",
        "epoch-00001-step-000004.safetensors",
      ])
    // Resumed from step 3 and saved anew: the abandoned step 4 goes.
    try store.save(checkpoint(1, 3, value: 9), keep: 1)
    #expect(store.paths().count == 1)
    #expect(try store.latest { _ in }?.checkpoint == checkpoint(1, 3, value: 9))
    #expect(FileManager.default.fileExists(atPath: folder.file("c/best.safetensors")))
    #expect(message { try store.save(checkpoint(1, 4), keep: 0) }.contains("at least 1 expected"))
    #expect(message { try store.save(checkpoint(-1, 4)) }.contains("expected >= 0"))
  }

  @Test func aSaveThatFailsLeavesTheEarlierCheckpoints() throws {
    let folder = try TestFolder()
    let store = CheckpointStore(folder: folder.path)
    let earlier = try checkpoint(1, 0)
    try store.save(earlier, keep: 1)
    var wrong = try checkpoint(2, 0)
    wrong.model.append(wrong.model[0])
    #expect(message { try store.save(wrong, keep: 1) }.contains("the name is taken"))
    // What a killed process leaves: half a temporary file.
    try folder.write(".epoch-00002\(AtomicFile.temporaryMark)99999999-1", Data([1, 2]))
    #expect(store.latest { Issue.record("\($0)") }?.checkpoint == earlier)
    try store.save(checkpoint(2, 0), keep: 1)
    #expect(folder.names == ["epoch-00002-step-000000.safetensors"])
  }

  @Test func theHashIsFNV1a() {
    // Test vectors of the authors: "", "a", "foobar".
    var hash = ContentHash()
    #expect(hash.description == "cbf29ce484222325")
    hash.add(Data("a".utf8))
    #expect(hash.description == "af63dc4c8601ec8c")
    var longer = ContentHash()
    longer.add(Data("foo".utf8))
    longer.add(Data("bar".utf8))
    #expect(longer.description == "85944171f73967e8")
  }
}
