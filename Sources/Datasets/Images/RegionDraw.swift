import CImages
import Foundation
import IR

/// The draws of a random-resized-crop (Szegedy et al. 2015; torchvision's RandomResizedCrop) for
/// one image, still without the picture's extent.
struct RegionDraw: Sendable {
  /// The least share of the picture's area; the largest is 1.
  let leastArea: Double
  let stream: RandomStream
  let id: Int

  /// A part of a picture in pixels.
  struct Box: Equatable {
    var left: Int
    var top: Int
    var width: Int
    var height: Int
  }

  /// Ten times an area and an aspect ratio are drawn (the ratio from 3/4 to 4/3, its logarithm
  /// evenly); the first that fits gets a place. Where none fits, the middle of the picture serves.
  func box(in size: (width: Int, height: Int)) -> Box {
    for attempt in 0..<10 {
      let words = stream.words(item: id, index: 1 + attempt)
      let uniform = { (word: UInt32) in Double(word) * 0x1p-32 }
      let area = Double(size.width * size.height) * (leastArea + (1 - leastArea) * uniform(words.0))
      let ratio = exp((2 * uniform(words.1) - 1) * log(4.0 / 3))
      let width = Int((area * ratio).squareRoot().rounded())
      let height = Int((area / ratio).squareRoot().rounded())
      guard (1...size.width).contains(width), (1...size.height).contains(height) else { continue }
      func place(_ word: UInt32, _ room: Int) -> Int { Int((UInt64(word) * UInt64(room)) >> 32) }
      return Box(
        left: place(words.3, size.width - width + 1), top: place(words.2, size.height - height + 1),
        width: width, height: height)
    }
    return middle(of: size)
  }

  private func middle(of size: (width: Int, height: Int)) -> Box {
    let ratio = Double(size.width) / Double(size.height)
    var (width, height) = size
    if ratio < 3.0 / 4 {
      height = Int((Double(width) / (3.0 / 4)).rounded())
    } else if ratio > 4.0 / 3 {
      width = Int((Double(height) * (4.0 / 3)).rounded())
    }
    return Box(
      left: (size.width - width) / 2, top: (size.height - height) / 2, width: width, height: height)
  }
}

extension RegionDraw.Box {
  /// All of it, scaled to an image.
  func scaled(to shape: ImageShape) -> clat_resample_box {
    clat_resample_box(
      left: Int32(left), top: Int32(top), width: Int32(width), height: Int32(height),
      scaled_width: Int32(shape.width), scaled_height: Int32(shape.height),
      window_left: 0, window_top: 0,
      window_width: Int32(shape.width), window_height: Int32(shape.height))
  }

  /// The same part of a picture that was decoded at 1/`reduction` of its size.
  func reduced(by reduction: Int, to size: (width: Int, height: Int)) -> RegionDraw.Box {
    let left = min(left / reduction, size.width - 1)
    let top = min(top / reduction, size.height - 1)
    return RegionDraw.Box(
      left: left, top: top, width: max(1, min(width / reduction, size.width - left)),
      height: max(1, min(height / reduction, size.height - top)))
  }
}
