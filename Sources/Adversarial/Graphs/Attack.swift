import IR

/// An L-infinity attack by sign steps (Madry et al. 2018), in [0, 1] pixel space.
public struct Attack: Sendable, Hashable {
  /// Where the first step starts.
  public enum Start: String, Sendable, CaseIterable {
    /// At the clean image. The gradient of a feature distance is zero there.
    case clean
    /// Uniform in the eps-box around the clean image.
    case random
    /// At the input `start`, f32 like the images.
    case given
  }

  /// Radius of the box around the clean image.
  public var eps: Epsilon
  /// Length of one step.
  public var step: Epsilon
  public var steps: Int
  public var start: Start
  /// `train` normalises by the statistics of the attacked batch and leaves the running ones alone.
  public var batchNorm: BatchNormMode
  /// The range of valid pixels.
  public var low: Double
  public var high: Double

  public init(
    eps: Epsilon, step: Epsilon, steps: Int, start: Start = .random,
    batchNorm: BatchNormMode = .eval, low: Double = 0, high: Double = 1
  ) {
    self.eps = eps
    self.step = step
    self.steps = steps
    self.start = start
    self.batchNorm = batchNorm
    self.low = low
    self.high = high
  }

  /// The CLAT paper's PGD-10: eps 0.03, step 0.007, random start.
  public static let paper = Attack(eps: 0.03, step: 0.007, steps: 10)

  /// One step of length eps from the clean image (Goodfellow et al. 2015).
  public static func fgsm(eps: Epsilon) -> Attack {
    Attack(eps: eps, step: eps, steps: 1, start: .clean)
  }

  /// One step of 1.25 eps from a random start (Wong et al. 2020).
  public static func fgsmRandomStart(eps: Epsilon) -> Attack {
    Attack(eps: eps, step: Epsilon(1.25 * eps.value), steps: 1)
  }

  /// The same budget spent in one FGSM-RS step: CLAT (fast).
  public var fast: Attack {
    var attack = Attack.fgsmRandomStart(eps: eps)
    attack.batchNorm = batchNorm
    return attack
  }

  /// - Throws: IRError for constants that make no attack.
  public func check() throws {
    guard eps.value >= 0, step.value >= 0 else {
      throw IRError("attack: eps and step must not be negative, are \(eps) and \(step)")
    }
    guard steps > 0 else { throw IRError("attack: steps must be at least 1, is \(steps)") }
    guard low < high else { throw IRError("attack: low \(low) must be below high \(high)") }
  }
}

/// What an attack climbs.
public enum AttackObjective: Sendable, Hashable {
  /// The mean cross entropy of the model's output.
  case crossEntropy
  /// CLAT's inner maximisation (Eq. 5): the batch mean of the sum over `layers` (indices in
  /// `Model.units`) of ||F_i(x + d) - F_i(x)||_2.
  case features(layers: [Int], tap: FeatureTap = .activation)
}
