import Foundation
import TestSupport
import Testing

@testable import Datasets

/// MNIST's idx files and NumPy's archives.
@Suite struct ArrayTests {
  private func idx(_ shape: [Int], _ values: [UInt8]) -> [UInt8] {
    [0, 0, 8, UInt8(shape.count)]
      + shape.flatMap { extent in [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: extent >> $0) } }
      + values
  }

  private var images: [UInt8] { idx([5, 4, 3], (0..<60).map { UInt8($0) }) }
  private var labels: [UInt8] { idx([5], [3, 1, 4, 1, 5]) }

  @Test func idxFilesAreRead() throws {
    let folder = try TestFolder()
    try folder.write("t10k-images-idx3-ubyte", images)
    try folder.write("t10k-labels.idx1-ubyte", labels)
    let test = try Dataset.load(folder.path, split: .test)
    #expect(test.name == "mnist" && test.labels == [3, 1, 4, 1, 5] && test.augmentation == .mnist)
    #expect(test.shape == ImageShape(height: 4, width: 3, channels: 1))
    #expect(test.bytes == (0..<60).map { UInt8($0) })
    #expect(message { try Dataset.load(folder.path, split: .train) }.contains("--test-images"))
    let options = LoadOptions(testImages: 2)
    #expect(try Dataset.load(folder.path, split: .train, options: options).labels == [3, 1, 4])
    #expect(try Dataset.load(folder.path, split: .test, options: options).labels == [1, 5])
    try folder.write("train-images-idx3-ubyte", images)
    #expect(
      message { try Dataset.load(folder.path, split: .train, options: options) }
        .contains("has a test split of its own"))
  }

  @Test func badIdxFilesAreNamed() throws {
    func problem(_ images: [UInt8], _ labels: [UInt8]) -> String {
      message {
        try MNIST.dataset(
          images: IDX(Data(images), file: "i"), labels: IDX(Data(labels), file: "l"), split: .test)
      }
    }
    #expect(problem([0, 0], labels).hasPrefix("i: no idx file"))
    #expect(problem([0, 0, 13, 3], labels) == "i: idx type 13, expected 8 (unsigned bytes)")
    #expect(problem([0, 0, 8, 3, 0], labels).hasPrefix("i: truncated"))
    #expect(problem(images.dropLast(), labels).hasPrefix("i: 59 bytes behind the header"))
    #expect(problem(labels, labels).hasPrefix("i: idx array of [5], expected 3 dimensions"))
    #expect(problem(images, idx([4], [1, 2, 3, 4])).contains("expected 5 labels"))
    #expect(problem(images, idx([5], [1, 2, 10, 0, 0])).contains("label 10, expected 0...9"))
    #expect(problem(idx([0, 4, 3], []), labels) == "i: no records, expected at least one")
    #expect(problem(idx([5, 1 << 20, 1 << 20], []), labels).contains("at most 65536 a side"))
  }

  static let mnist = ProcessInfo.processInfo.environment["CLAT_DATA"].map { $0 + "/mnist" }

  @Test(.enabled(if: mnist != nil, "CLAT_DATA is not set: the official files are not read"))
  func theOfficialFiles() throws {
    let test = try Dataset.load(Self.mnist ?? "", split: .test)
    #expect(test.count == 10_000 && test.labels.prefix(5) == [7, 2, 1, 0, 4])
    #expect(test.labels.count { $0 == 1 } == 1135)
  }

  @Test(arguments: ["stored.npz", "deflated.npz"]) func archivesAreRead(_ name: String) throws {
    let data = try Dataset.load(goldenImages + "/" + name, split: .train)
    #expect(data.labels == (0..<12).map { Int32($0 % 3) } && data.classes.count == 10)
    #expect(data.shape == ImageShape(height: 4, width: 5, channels: 3))
    #expect(data.bytes == (0..<720).map { UInt8(truncatingIfNeeded: $0) })
    #expect(data.residentBytes == (name == "stored.npz" ? 0 : 720))
  }

  @Test func badArchivesAreNamed() throws {
    func problem(_ name: String) -> String {
      message { try Dataset.load(goldenImages + "/" + name, split: .test) }
    }
    #expect(problem("wrong-type.npz").contains("x.npy: values of type '<f4', expected whole"))
    #expect(
      problem("wrong-order.npz").contains("expected 1 or 3 channels at the end")
        || problem("wrong-order.npz").contains("Fortran order"))
    #expect(problem("wrong-label.npz").contains("label -1, expected 0...65535"))
    #expect(problem("unnamed.npz").contains("arrays arr_0.npy; expected image and label"))
    #expect(message { try NPZ.decode(Data(), file: "f", split: .train) }.hasPrefix("f: no records"))
    #expect(message { try NPY(Data([1, 2, 3]), file: "f") } == "f: no NumPy array")
  }

  /// Damaged idx files, arrays and archives are refused with one line or give what they promise.
  @Test(arguments: ["idx", "npz", "npy"]) func damageNeverCrashes(_ kind: String) throws {
    var random = Mutations(seed: 7)
    let archive = [UInt8](
      try Data(contentsOf: URL(fileURLWithPath: goldenImages + "/deflated.npz")))
    let header = "{'descr': '<i4', 'fortran_order': False, 'shape': (3,), }"
    let array: [UInt8] =
      [0x93] + Array("NUMPY".utf8) + [1, 0, UInt8(header.utf8.count), 0] + Array(header.utf8)
      + [1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0]
    var refused = 0
    for _ in 0..<2_000 {
      do {
        switch kind {
        case "idx":
          let data = try MNIST.dataset(
            images: IDX(Data(random.damaged(images)), file: "f"),
            labels: IDX(Data(random.damaged(labels)), file: "f"), split: .test)
          #expect(data.bytes.count == data.count * data.shape.count)
        case "npz":
          let data = try NPZ.decode(Data(random.damaged(archive)), file: "f", split: .train)
          #expect(data.bytes.count == data.count * data.shape.count)
        default:
          #expect(try NPY(Data(random.damaged(array)), file: "f").labels().count <= 3)
        }
      } catch {
        refused += 1
        let text = String(describing: error)
        #expect(error is DatasetError && text.hasPrefix("f") && !text.contains("\n"))
      }
    }
    #expect(refused > 500)
  }
}
