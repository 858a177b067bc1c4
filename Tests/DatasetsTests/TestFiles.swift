import Foundation

@testable import Datasets

/// A folder for one test, removed when the value goes.
final class TestFolder {
  let path: String

  init() throws {
    path = NSTemporaryDirectory() + "clat-datasets-" + UUID().uuidString
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  /// Writes a file (and the folders above it) and returns its path.
  @discardableResult
  func write(_ name: String, _ bytes: [UInt8]) throws -> String {
    let url = URL(fileURLWithPath: path + "/" + name)
    try FileManager.default.createDirectory(
      at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
    try Data(bytes).write(to: url)
    return url.path
  }
}

/// `count` records of `kind` whose label bytes are valid and whose pixels are a known pattern.
func cifarRecords(_ kind: CIFAR, count: Int, salt: Int = 0) -> [UInt8] {
  (0..<count).flatMap { record -> [UInt8] in
    kind.labelFields.map { UInt8((record + salt) % $0.range.count) }
      + (0..<3072).map { UInt8(truncatingIfNeeded: $0 * 7 + record * 13 + salt) }
  }
}

/// A small data set with distinct pixels.
func patterned(count: Int, height: Int = 6, width: Int = 5, channels: Int = 3) throws -> Dataset {
  let shape = ImageShape(height: height, width: width, channels: channels)
  return try Dataset(
    name: "pattern", split: .train, shape: shape,
    pixels: (0..<count * shape.count).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 5) },
    labels: (0..<count).map { Int32($0 % 4) }, classes: ["a", "b", "c", "d"])
}

func message(_ body: () throws -> some Any) -> String {
  do {
    _ = try body()
    return "no error"
  } catch {
    return String(describing: error)
  }
}

extension Dataset {
  /// All pixels; none where one cannot be read.
  var bytes: [UInt8] { (try? pixels()) ?? [] }
}
