import Foundation
import TestSupport
import Testing

@testable import Datasets

@Suite struct CIFARTests {
  @Test func planesBecomeInterleaved() throws {
    let folder = try TestFolder()
    let file = try folder.write("test_batch.bin", cifarRecords(.cifar10, count: 3))
    let data = try Dataset.load(file, split: .test)
    #expect(data.shape == ImageShape(height: 32, width: 32, channels: 3))
    #expect(data.labels == [0, 1, 2] && data.ids == [0, 1, 2] && data.classes[2] == "bird")
    let raw = cifarRecords(.cifar10, count: 3)
    for (image, y, x, channel) in [(0, 0, 0, 0), (1, 31, 2, 1), (2, 17, 31, 2)] {
      let value = data.bytes[((image * 32 + y) * 32 + x) * 3 + channel]
      #expect(value == raw[image * 3073 + 1 + channel * 1024 + y * 32 + x])
    }
  }

  @Test func foldersAndTheirParentsAreFound() throws {
    let folder = try TestFolder()
    for number in 1...5 {
      try folder.write(
        "cifar-10-batches-bin/data_batch_\(number).bin",
        cifarRecords(.cifar10, count: 2, salt: number))
    }
    for source in [folder.path, folder.path + "/cifar-10-batches-bin"] {
      let data = try Dataset.load(source, split: .train)
      #expect(data.name == "cifar-10" && data.labels == [1, 2, 2, 3, 3, 4, 4, 5, 5, 6])
      #expect(data.notes.count == 5 && data.notes[0].contains("not the official split"))
      #expect(
        message { try Dataset.load(source, split: .test) }.contains("test_batch.bin: not found"))
    }
    try folder.write("other/train.bin", cifarRecords(.cifar100, count: 1))
    #expect(
      message { try Dataset.load(folder.path, split: .train) }.hasSuffix(
        "several data sets (cifar-10-batches-bin, other), name one of them"))
  }

  @Test func fineLabelsAndNamesOfCIFAR100() throws {
    let folder = try TestFolder()
    try folder.write("train_5000.bin", cifarRecords(.cifar100, count: 120))
    try folder.write("test_1000.bin", cifarRecords(.cifar100, count: 2))
    let train = try Dataset.load(folder.path, split: .train)
    #expect(train.labels[99] == 99 && train.labels[100] == 0 && train.classes[7] == "class 7")
    let names = (0..<100).map { "name\($0)" }.joined(separator: "\n")
    try folder.write("fine_label_names.txt", Array(names.utf8))
    let test = try Dataset.load(folder.path, split: .test)
    #expect(test.count == 2 && test.classes[99] == "name99")
    #expect(
      test.notes == [
        "test_1000.bin holds 2 records, the official file 10000: not the official split, "
          + "not comparable with published results"
      ])
  }

  @Test func theSidecarOfInexactImagesIsNoted() throws {
    let folder = try TestFolder()
    try folder.write("test_batch.bin", cifarRecords(.cifar10, count: 3))
    try folder.write(
      "jpeg_filled_records.json",
      Array(#"{"test_batch.bin": [1, 2], "data_batch_1.bin": [5]}"#.utf8))
    #expect(
      try Dataset.load(folder.path, split: .test).notes.last
        == "2 images were decoded from JPEG copies and are not exact")
    try folder.write("jpeg_filled_records.json", Array("[1".utf8))
    #expect(
      try Dataset.load(folder.path, split: .test).notes.last?.contains("cannot be read") == true)
  }

  @Test func badFilesAreNamedWithPlaceAndExpectation() throws {
    let folder = try TestFolder()
    let good = cifarRecords(.cifar10, count: 4)
    let cut = try folder.write("test_batch.bin", Array(good.dropLast(100)))
    #expect(
      message { try Dataset.load(cut, split: .test) }
        == "\(cut): truncated: 12192 bytes, expected a multiple of 3073; "
        + "record 3 has only 2973 bytes"
    )
    var wrong = good
    wrong[2 * 3073] = 10
    try folder.write("test_batch.bin", wrong)
    #expect(
      message { try Dataset.load(cut, split: .test) }
        == "\(cut): record 2, byte offset 6146: label 10, expected 0...9")
    try folder.write("test_batch.bin", [])
    #expect(
      message { try Dataset.load(cut, split: .test) }
        == "\(cut): no records, expected at least one")
    try folder.write("test_batch.bin", [UInt8](repeating: 0, count: 10_001 * 3073))
    #expect(
      message { try Dataset.load(folder.path, split: .test) }
        == "\(cut): 30733073 bytes, expected at most 30730000")
    #expect(message { try Dataset.load("/no/such", split: .test) }.hasPrefix("/no/such: not found"))
    #expect(message { try Dataset.load("/dev/null", split: .test) }.contains("not a regular file"))
  }

  /// Thousands of damaged files: each is refused with one line or gives labels within the classes.
  @Test(arguments: [CIFAR.cifar10, .cifar100])
  func damageNeverCrashes(kind: CIFAR) throws {
    var random = Mutations(seed: 1)
    let good = cifarRecords(kind, count: 3)
    var refused = 0
    for _ in 0..<1_500 {
      var bytes = good
      if Bool.random(using: &random) {
        bytes.removeLast(Int.random(in: 0...bytes.count, using: &random))
      }
      for _ in 0..<Int.random(in: 0...4, using: &random) where !bytes.isEmpty {
        let isFirst = Bool.random(using: &random)
        let place = isFirst ? 0 : Int.random(in: 0..<bytes.count, using: &random)
        bytes[place] = .random(in: .min ... .max, using: &random)
      }
      var records = CIFAR.Records()
      do {
        try kind.decode(Data(bytes), file: "f.bin", into: &records)
        let top = kind.labelFields.last?.range.upperBound ?? 0
        #expect(records.labels.allSatisfy { (0...Int32(top)).contains($0) })
        #expect(records.pixels.count == records.labels.count * 3072)
      } catch {
        refused += 1
        let text = String(describing: error)
        #expect(error is DatasetError && text.hasPrefix("f.bin: ") && !text.contains("\n"))
      }
    }
    #expect(refused > 500 && refused < 1_500)
  }

  static let data = ProcessInfo.processInfo.environment["CLAT_DATA"]

  @Test(.enabled(if: data != nil, "CLAT_DATA is not set: the official files are not read"))
  func theOfficialTestFile() throws {
    let folder = (Self.data ?? "") + "/cifar-10-batches-bin"
    let data = try Dataset.load(folder, split: .test)
    #expect(data.count == 10_000)
    for label in 0..<10 { #expect(data.labels.count { $0 == label } == 1_000) }
    let raw = try Data(contentsOf: URL(fileURLWithPath: folder + "/test_batch.bin"))
    #expect(data.labels[0] == 3 && data.classes[3] == "cat")
    #expect((0..<3).allSatisfy { data.bytes[$0] == raw[1 + $0 * 1024] })
  }
}
