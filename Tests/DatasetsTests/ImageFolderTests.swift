import Foundation
import Testing

@testable import Datasets

@Suite struct ImageFolderTests {
  let folder: TestFolder

  init() throws { folder = try TestFolder() }

  private func bytes(_ name: String) throws -> [UInt8] {
    [UInt8](try Data(contentsOf: URL(fileURLWithPath: goldenImages + "/" + name)))
  }

  /// Two classes: three images of b, six of a; two test images of a.
  private func fill() throws {
    for (index, name) in ["colour.jpg", "colour.png", "cmyk.jpg"].enumerated() {
      try folder.write("train/b/\(index)." + name.suffix(3), bytes(name))
    }
    for index in 0..<6 { try folder.write("train/a/\(index).JPG", bytes("full.jpg")) }
    for index in 0..<2 { try folder.write("val/a/\(index).png", bytes("palette.png")) }
    try folder.write("train/a/notes.txt", [1])
    try folder.write("train/.hidden/x.png", [1])
  }

  private func load(_ split: Split = .train, _ options: LoadOptions = LoadOptions(imageSize: 16))
    throws -> Dataset
  { try Dataset.load(folder.path, split: split, options: options) }

  @Test func classesAreSortedAndImagesComeInTurn() throws {
    try fill()
    try folder.write("classes.txt", Array("b bear cub\n".utf8))
    let train = try load()
    #expect(train.classes == ["a", "bear cub"])
    #expect(train.labels == [0, 1, 0, 0, 1, 0, 0, 1, 0])
    #expect(train.shape == ImageShape(height: 16, width: 16, channels: 3))
    #expect(train.augmentation == .imagenet && train.residentBytes < 1000)
    let test = try load(.test)
    #expect(test.labels == [0, 0] && test.classes == train.classes)
    #expect(test.bytes.count == 2 * 16 * 16 * 3)
  }

  @Test func theShapeFollowsFromTheFiles() throws {
    for name in ["a", "b"] { try folder.write("train/\(name)/0.png", bytes("grey.png")) }
    #expect(
      try load(.train, LoadOptions()).shape == ImageShape(height: 224, width: 224, channels: 1))
    let square = folder.path + "/train/a/square.png"
    try ContactSheet(patterned(count: 4, height: 7, width: 7), columns: 4).write(to: square)
    try FileManager.default.removeItem(atPath: folder.path + "/train/a/0.png")
    try FileManager.default.removeItem(atPath: folder.path + "/train/b")
    #expect(try load(.train, LoadOptions()).shape == ImageShape(height: 38, width: 38, channels: 3))
    #expect(
      message { try load(.train, LoadOptions(imageSize: 38, resize: 20)) }
        == "resize 20: expected at least the image size, which is 38")
  }

  @Test func foldersWithoutSplitsAreCutByRequest() throws {
    for index in 0..<4 {
      for name in ["x", "y"] { try folder.write("\(name)/\(index).png", bytes("colour.png")) }
    }
    #expect(try load().notes.first?.contains("has no split") == true)
    let options = LoadOptions(imageSize: 8, testImages: 2)
    let (train, test) = (try load(.train, options), try load(.test, options))
    #expect(train.labels == [0, 1, 0, 1, 0, 1] && test.labels == [0, 1] && test.ids == [6, 7])
    #expect(test.notes.last == "the last 2 of 8 images: no official test split")
    #expect(message { try load(.test, LoadOptions(testImages: 8)) }.contains("fewer than the 8"))
  }

  @Test func damagedImagesAreNamedOrSkipped() throws {
    try fill()
    let cut = try folder.write("train/a/3.JPG", Array(bytes("full.jpg").prefix(800)))
    try folder.write("train/b/empty.png", [])
    let plan = try BatchPlan.sequential(count: 10, batchSize: 4)
    let loader = try BatchLoader(dataset: load(), plan: plan, seed: 0, epoch: 0, threads: 2)
    let problem = message { while try loader.next() != nil {} }
    #expect(problem.hasPrefix(folder.path + "/train/") && !problem.contains("\n"))
    #expect(message { try load().pixels() } == problem)
    let whole = try load(.train, LoadOptions(imageSize: 16, damaged: .skip))
    #expect(whole.count == 8 && whole.notes.count == 1)
    #expect(whole.notes[0].hasPrefix("2 damaged images were left out, the first: "))
    #expect(whole.bytes.count == 8 * 16 * 16 * 3)
    #expect(message { try ImageFile.read(cut + "x", into: ImageWorkspace()) }.contains("not found"))
  }

  /// Any number of threads, any start: the same batches as one thread makes.
  @Test(arguments: [1, 2, 5]) func threadsDoNotMatter(_ threads: Int) throws {
    try fill()
    let data = try load()
    let plan = try BatchPlan.shuffled(count: data.count, batchSize: 4, seed: 3, epoch: 1)
    let assembler = try BatchAssembler(
      dataset: data, plan: plan, augmentation: .imagenet, seed: 3, epoch: 1)
    for start in 0..<plan.batchCount {
      let loader = try BatchLoader(
        dataset: data, plan: plan, augmentation: .imagenet, seed: 3, epoch: 1, startBatch: start,
        depth: 1, threads: threads)
      for index in start..<plan.batchCount {
        let batch = BatchLoaderTests.Copy(try #require(try loader.next()))
        #expect(try batch == BatchLoaderTests.Copy(assembler.batch(index)))
      }
      #expect(try loader.next() == nil)
    }
    let later = try BatchAssembler(
      dataset: data, plan: plan, augmentation: .imagenet, seed: 3, epoch: 2)
    #expect(
      try BatchLoaderTests.Copy(later.batch(0)) != BatchLoaderTests.Copy(assembler.batch(0)))
  }

  @Test func whatIsNoDataSetIsDescribed() throws {
    #expect(message { try load() }.hasSuffix("the folder is empty"))
    try folder.write("a.txt", [1])
    #expect(message { try load() }.hasSuffix("the folder holds a.txt"))
    let png = try folder.write("a.png", bytes("grey.png"))
    #expect(message { try Dataset.load(png, split: .test) }.contains("one image, expected"))
    try fill()
    try folder.write("val/c/0.png", bytes("grey.png"))
    #expect(message { try load(.test) }.contains("val/c: a class that "))
    #expect(
      message { try load(.train, LoadOptions(imageSize: 0)) }
        == "image size 0: expected 1...4096")
  }

  @Test func sheetsShowEveryClass() throws {
    try fill()
    let sheet = folder.path + "/sheet.png"
    try ContactSheet(load(), columns: 3).write(to: sheet)
    let workspace = ImageWorkspace()
    try ImageFile.read(sheet, into: workspace)
    let size = try ImageFile.inspect(workspace, sheet)
    #expect((size.width, size.height) == (3 * 18 + 2, 2 * 18 + 2))
    #expect(throws: DatasetError.self) { try ContactSheet(load()).write(to: "/no/such/sheet.png") }
    let statistics = try DatasetStatistics(load())
    #expect(statistics.counts == [6, 3] && statistics.mean.allSatisfy { (0.2...0.8).contains($0) })
  }
}
