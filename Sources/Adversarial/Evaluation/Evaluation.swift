import Datasets
import Engine
import IR
import Models

/// Clean and worst-case accuracy of a model on a data set.
public struct Evaluation: Sendable {
  public struct Options: Sendable, Equatable {
    /// nil for clean accuracy alone.
    public var attack: Attack?
    /// Independent runs of the attack; an image counts as robust if it is right in all of them and
    /// when clean, as in AutoAttack.
    public var restarts: Int
    public var batchSize: Int
    public var seed: UInt64
    /// Whether the result holds images and logits.
    public var keepsImages: Bool

    public init(
      attack: Attack? = nil, restarts: Int = 1, batchSize: Int = 128, seed: UInt64 = 0,
      keepsImages: Bool = false
    ) {
      self.attack = attack
      self.restarts = restarts
      self.batchSize = batchSize
      self.seed = seed
      self.keepsImages = keepsImages
    }
  }

  /// By image, in the data's order.
  public internal(set) var cleanCorrect: [Bool] = []
  /// Whether an image is right when clean and after every restart; empty without an attack.
  public internal(set) var robustCorrect: [Bool] = []
  /// Cross entropy of the clean images.
  public internal(set) var cleanLosses: [Float] = []
  /// The worst image that the attack found for each clean one: the first that is misclassified,
  /// else the one of the largest loss. f32 NHWC, one after the other; empty unless kept.
  public internal(set) var adversarial: [Float] = []
  /// Logits of `adversarial`, or of the clean images without an attack; empty unless kept.
  public internal(set) var logits: [Float] = []
  /// Logits of the clean images; empty unless kept.
  public internal(set) var cleanLogits: [Float] = []
  public internal(set) var seconds = 0.0

  public var count: Int { cleanCorrect.count }
  public var cleanAccuracy: Double { Self.share(cleanCorrect) }
  /// nil without an attack.
  public var robustAccuracy: Double? { robustCorrect.isEmpty ? nil : Self.share(robustCorrect) }
  public var cleanLoss: Double {
    cleanLosses.reduce(0) { $0 + Double($1) } / Double(max(1, count))
  }

  /// Half the width of the 95 % interval of an accuracy over `count` images (normal approximation).
  public static func halfInterval(accuracy: Double, count: Int) -> Double {
    1.96 * (accuracy * (1 - accuracy) / Double(max(1, count))).squareRoot()
  }

  private static func share(_ correct: [Bool]) -> Double {
    Double(correct.count { $0 }) / Double(max(1, correct.count))
  }
}

extension Evaluation {
  /// Evaluates all images; the last, smaller batch has a program of its own.
  ///
  /// - Parameters:
  ///   - shouldStop: asked before every batch; true ends the evaluation with CancellationError.
  ///   - onProgress: images done so far.
  /// - Throws: IRError and DatasetError for settings or images that do not fit.
  public static func run(
    _ session: ModelSession, _ dataset: Dataset, _ options: Options = Options(),
    shouldStop: () -> Bool = { false }, onProgress: (Int) -> Void = { _ in }
  ) throws -> Evaluation {
    guard options.restarts > 0 else {
      throw IRError("restarts must be at least 1, is \(options.restarts)")
    }
    try options.attack?.check()
    let plan = try BatchPlan.sequential(count: dataset.count, batchSize: options.batchSize)
    let loader = try BatchLoader(dataset: dataset, plan: plan, seed: options.seed, epoch: 0)
    var result = Evaluation()
    if options.keepsImages {
      result.adversarial.reserveCapacity(dataset.count * dataset.shape.count)
    }
    let start = ContinuousClock.now
    while let batch = try loader.next() {
      if shouldStop() { throw CancellationError() }
      try session.load(batch)
      var worst = try WorstCase(session, batch.count)
      result.addClean(worst, options)
      if let attack = options.attack {
        for restart in 0..<options.restarts {
          let stream = RandomStream(seed: options.seed, epoch: restart, purpose: .evaluation)
          try session.attack(attack, batch: batch.count, stream: stream)
          try worst.take(session)
        }
        result.robustCorrect += worst.correct
      }
      if options.keepsImages {
        result.adversarial += worst.images
        result.logits += worst.logits
      }
      onProgress(result.count)
    }
    result.seconds = (ContinuousClock.now - start) / .seconds(1)
    return result
  }

  private mutating func addClean(_ clean: WorstCase, _ options: Options) {
    cleanCorrect += clean.correct
    cleanLosses += clean.losses
    if options.keepsImages { cleanLogits += clean.logits }
  }
}

/// The worst image found so far for every image of a batch.
private struct WorstCase {
  var images: [Float]
  var logits: [Float]
  var losses: [Float]
  var correct: [Bool]
  /// Whether `images` holds the clean image still.
  private var isClean: [Bool]
  private let count: Int

  /// The loaded batch as it is.
  init(_ session: ModelSession, _ count: Int) throws {
    self.count = count
    images = Array(try session.images("x", count).floats)
    let program = try session.program(.evaluation(), batch: count)
    program.run()
    logits = try program.floats("logits")
    losses = try program.floats("losses")
    correct = try program.integers("correct").map { $0 != 0 }
    isClean = Array(repeating: true, count: count)
  }

  /// Takes over what is worse in `x_adv`.
  mutating func take(_ session: ModelSession) throws {
    let program = try session.program(.evaluation(images: "x_adv"), batch: count)
    program.run()
    let moved = try session.images("x_adv", count).floats
    let (newLogits, newLosses) = (try program.floats("logits"), try program.floats("losses"))
    let newCorrect = try program.integers("correct").map { $0 != 0 }
    let (pixels, classes) = (images.count / count, logits.count / count)
    for i in 0..<count {
      guard isWorse(i, newLosses[i], newCorrect[i]) else { continue }
      isClean[i] = false
      correct[i] = newCorrect[i]
      losses[i] = newLosses[i]
      images.replaceSubrange(
        i * pixels..<(i + 1) * pixels, with: moved[i * pixels..<(i + 1) * pixels])
      let row = i * classes..<(i + 1) * classes
      logits.replaceSubrange(row, with: newLogits[row])
    }
  }

  private func isWorse(_ i: Int, _ loss: Float, _ isCorrect: Bool) -> Bool {
    switch (correct[i], isCorrect) {
    case (true, false): true
    case (true, true): isClean[i] || loss > losses[i]
    case (false, false): isClean[i]
    case (false, true): false
    }
  }
}
