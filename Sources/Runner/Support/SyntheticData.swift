import Datasets
import IR
import Models

/// Random images with random labels, for commands that measure time alone.
enum SyntheticData {
  /// `count` images of the model's shape, the same for every call.
  static func make(_ model: Model, count: Int) throws -> Dataset {
    let (height, width, channels) = model.imageShape
    let shape = ImageShape(height: height, width: width, channels: channels)
    let stream = RandomStream(seed: 0, epoch: 0, purpose: .weights)
    var pixels: [UInt8] = []
    pixels.reserveCapacity(count * shape.count + 16)
    var index = 0
    while pixels.count < count * shape.count {
      let words = stream.words(item: 0, index: index)
      for word in [words.0, words.1, words.2, words.3] {
        withUnsafeBytes(of: word.littleEndian) { pixels.append(contentsOf: $0) }
      }
      index += 1
    }
    pixels.removeLast(pixels.count - count * shape.count)
    return try Dataset(
      name: "random", split: .train, shape: shape, pixels: pixels,
      labels: (0..<count).map { Int32($0 % model.classes) },
      classes: (0..<model.classes).map(String.init))
  }
}
