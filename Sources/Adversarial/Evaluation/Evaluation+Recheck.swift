import Datasets
import Engine
import IR
import Models

extension Evaluation {
  /// What stored adversarial images are worth when looked at again.
  public struct Recheck: Sendable, Equatable {
    public var correct: Int
    public var count: Int
    /// The largest |adversarial - clean| of a pixel.
    public var maximumNorm: Double
    public var lowest: Double
    public var highest: Double
    /// NaNs and infinities.
    public var nonFinite: Int
    /// What is wrong, one line each; empty if all is well.
    public var problems: [String]
  }

  /// Recomputes the worst-case accuracy from stored adversarial images and checks that these keep
  /// within the attack's budget: norm at most eps + 1e-6, pixels in [0, 1], no NaN.
  ///
  /// - Parameters:
  ///   - adversarial: f32 NHWC, one for each image of the data set, in its order.
  ///   - expected: the number of right images that the evaluation has reported.
  /// - Throws: IRError where the number of values does not fit the data set.
  public static func recheck(
    _ session: ModelSession, _ dataset: Dataset, adversarial: [Float], eps: Double,
    expected: Int, batchSize: Int = 128
  ) throws -> Recheck {
    guard adversarial.count == dataset.count * dataset.shape.count else {
      throw IRError(
        "\(adversarial.count) adversarial values, expected \(dataset.count) images of "
          + "\(dataset.shape)")
    }
    var result = Recheck(
      correct: 0, count: dataset.count, maximumNorm: 0, lowest: .infinity, highest: -.infinity,
      nonFinite: 0, problems: [])
    let plan = try BatchPlan.sequential(count: dataset.count, batchSize: batchSize)
    let loader = try BatchLoader(dataset: dataset, plan: plan, seed: 0, epoch: 0)
    while let batch = try loader.next() {
      let first = batch.index * batchSize * dataset.shape.count
      let moved = adversarial[first..<first + batch.images.count]
      for (a, b) in zip(moved, batch.images) { result.measure(Double(a), clean: Double(b)) }
      try session.load(batch)
      _ = try session.images("x", batch.count).floats.update(from: moved)
      let program = try session.program(.evaluation(), batch: batch.count)
      program.run()
      result.correct += try program.integers("correct").count { $0 != 0 }
    }
    result.judge(eps: eps, expected: expected)
    return result
  }
}

extension Evaluation.Recheck {
  fileprivate mutating func measure(_ value: Double, clean: Double) {
    guard value.isFinite else {
      nonFinite += 1
      return
    }
    maximumNorm = max(maximumNorm, abs(value - clean))
    lowest = min(lowest, value)
    highest = max(highest, value)
  }

  fileprivate mutating func judge(eps: Double, expected: Int) {
    if correct != expected {
      problems.append("\(correct) images are right on re-evaluation, \(expected) were reported")
    }
    if maximumNorm > eps + 1e-6 {
      problems.append("the largest perturbation is \(maximumNorm), above eps \(eps)")
    }
    if lowest < 0 || highest > 1 {
      problems.append("pixels range from \(lowest) to \(highest), outside [0, 1]")
    }
    if nonFinite > 0 { problems.append("\(nonFinite) pixels are NaN or infinite") }
  }
}
