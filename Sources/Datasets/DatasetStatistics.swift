/// What a split holds: images by class, and their brightness.
public struct DatasetStatistics: Sendable, Equatable {
  /// Images by label.
  public private(set) var counts: [Int]
  /// By channel, of pixels in [0, 1]: what `model.mean` and `model.std` of a recipe want.
  public private(set) var mean: [Double]
  public private(set) var deviation: [Double]

  /// Reads every image once, on several threads where they have to be decoded.
  ///
  /// - Throws: `DatasetError` for an image that cannot be read.
  public init(_ dataset: Dataset) throws {
    let channels = dataset.shape.channels
    counts = [Int](repeating: 0, count: dataset.classes.count)
    var sums = [Double](repeating: 0, count: channels)
    var squares = sums
    let plan = try BatchPlan.sequential(count: dataset.count, batchSize: min(256, dataset.count))
    let loader = try BatchLoader(dataset: dataset, plan: plan, seed: 0, epoch: 0)
    while let batch = try loader.next() {
      for label in batch.labels { counts[Int(label)] += 1 }
      let images = batch.images
      for channel in 0..<channels {
        var (sum, square) = (0.0, 0.0)
        for index in stride(from: channel, to: images.count, by: channels) {
          let value = Double(images[index])
          sum += value
          square += value * value
        }
        sums[channel] += sum
        squares[channel] += square
      }
    }
    let pixels = Double(dataset.count * dataset.shape.height * dataset.shape.width)
    mean = sums.map { $0 / pixels }
    deviation = zip(squares, mean).map { max(0, $0 / pixels - $1 * $1).squareRoot() }
  }
}
