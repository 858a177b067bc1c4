import Foundation
import Testing

@testable import Datasets

@Suite struct DigitsTests {
  @Test func splitsAreFixedAndComplete() throws {
    let train = try Dataset.load("digits", split: .train)
    let test = try Dataset.load("digits", split: .test)
    #expect(train.count == 1_437 && test.count == 360 && train.classes.count == 10)
    #expect(train.shape == ImageShape(height: 8, width: 8, channels: 1))
    // The counts per class of the UCI file.
    let all = train.labels + test.labels
    let counts = (0..<10).map { label in all.count { $0 == label } }
    #expect(counts == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180])
    // The first record is the zero that every tutorial prints: 0 0 5 13 9 1 0 0.
    #expect(Array(train.bytes[0..<8]) == [0, 0, 80, 207, 143, 16, 0, 0])
    #expect(train.labels[0] == 0 && train.bytes.max() == 255)
  }

  @Test func aMissingBundleIsAnErrorThatNamesThePlaces() {
    let text = message { try Digits.load(split: .train, searching: ["/no/a", "/no/b"]) }
    #expect(
      text == "digits.bin: not found, expected the embedded digits in one of: /no/a, /no/b")
  }

  @Test func damagedDigitsAreRefused() throws {
    let good = [UInt8](repeating: 0, count: 1_797 * 65)
    #expect(
      message { try Digits.decode(Data(good.dropLast()), file: "d", split: .test) }
        .hasPrefix("d: truncated: 116804 bytes, expected a multiple of 65"))
    #expect(
      message { try Digits.decode(Data(good.dropLast(65)), file: "d", split: .test) }
        == "d: 1796 records, expected 1797")
    var grey = good
    grey[65 + 3] = 17
    #expect(
      message { try Digits.decode(Data(grey), file: "d", split: .train) }
        == "d: record 1, byte offset 68: grey level 17, expected 0...16")
  }

  @Test func subsetsKeepTheirIds() throws {
    let test = try Dataset.load("digits", split: .test)
    let some = try test.subset(indices: [7, 3, 359])
    #expect(some.ids == [7, 3, 359] && some.labels == [7, 3, 359].map { test.labels[$0] })
    #expect(Array(some.bytes[64..<128]) == Array(test.bytes[3 * 64..<4 * 64]))
    #expect(try some.subset(2).ids == [7, 3] && some.notes.last == "a subset of 3 of 360 images")
    #expect(try test.subset(360).notes == test.notes)
    #expect(message { try test.subset(0) } == "count 0: expected 1...360 (digits test)")
    #expect(message { try test.subset(361) } == "count 361: expected 1...360 (digits test)")
    #expect(
      message { try test.subset(indices: [-1]) } == "index -1: expected 0..<360 (digits test)")
  }
}
