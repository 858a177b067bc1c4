import CImages
import Foundation

/// A picture of a data set: one row for every class, its first images side by side.
public struct ContactSheet {
  private let dataset: Dataset
  private let columns: Int
  /// White pixels between images.
  private static let gap = 2
  /// More classes than this are cut off.
  public static let mostRows = 100

  public init(_ dataset: Dataset, columns: Int = 10) {
    self.dataset = dataset
    self.columns = max(1, columns)
  }

  /// Writes it as PNG.
  ///
  /// - Throws: `DatasetError` for an image that cannot be read or a file that cannot be written.
  public func write(to path: String) throws {
    let shape = dataset.shape
    let rows = min(dataset.classes.count, Self.mostRows)
    let width = columns * (shape.width + Self.gap) + Self.gap
    let height = rows * (shape.height + Self.gap) + Self.gap
    guard width * height <= 1 << 28 else {
      throw DatasetError.invalid("a sheet of \(width)x\(height) pixels is too large")
    }
    var pixels = [UInt8](repeating: 255, count: width * height * shape.channels)
    let workspace = ImageWorkspace()
    for (place, position) in places(rows: rows) {
      let left = Self.gap + place.column * (shape.width + Self.gap)
      let top = Self.gap + place.row * (shape.height + Self.gap)
      try dataset.images.withImage(Int(dataset.rows[position]), nil, workspace) { image in
        let bytes = shape.width * shape.channels
        for y in 0..<shape.height {
          let start = ((top + y) * width + left) * shape.channels
          for x in 0..<bytes { pixels[start + x] = image[y * bytes + x] }
        }
      }
    }
    try ImageFile.check(path) { message in
      clat_png_write(
        path, Int32(width), Int32(height), Int32(shape.channels), pixels, message)
    }
  }

  /// Where which image stands.
  private func places(rows: Int) -> [(place: (row: Int, column: Int), position: Int)] {
    var filled = [Int](repeating: 0, count: rows)
    return dataset.labels.enumerated().compactMap { position, label in
      let row = Int(label)
      guard row < rows, filled[row] < columns else { return nil }
      defer { filled[row] += 1 }
      return ((row, filled[row]), position)
    }
  }
}
