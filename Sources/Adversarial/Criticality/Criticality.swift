import Datasets
import IR
import Models

/// How strongly an attack moves each layer's features (CLAT, Eqs. 2 and 3); a layer is one of
/// `Model.units`.
public struct Criticality: Sendable, Equatable {
  /// What a feature distance is divided by.
  public enum Normalization: String, Sendable, CaseIterable {
    /// N_i, as the paper writes it.
    case size = "1/N"
    /// sqrt(N_i): a root mean square.
    case rootSize = "1/sqrt(N)"
    case none
    /// ||F_i(x)|| of the same image.
    case relative
  }

  /// The criticality of layer 0, which has no layer before it.
  public enum FirstLayer: String, Sendable, CaseIterable {
    /// C_0 = W_0, as the paper writes it.
    case paper
    /// None: layer 0 is never selected by its value.
    case exclude
    /// C_0 = W_0 / W(input).
    case input
  }

  public struct Options: Sendable, Equatable {
    public var attack: Attack
    public var tap: FeatureTap
    public var normalization: Normalization
    public var firstLayer: FirstLayer

    public init(
      attack: Attack = .paper, tap: FeatureTap = .activation, normalization: Normalization = .size,
      firstLayer: FirstLayer = .paper
    ) {
      self.attack = attack
      self.tap = tap
      self.normalization = normalization
      self.firstLayer = firstLayer
    }
  }

  public struct Layer: Sendable, Equatable {
    /// Index in `Model.units`.
    public var index: Int
    public var name: String
    /// W_i.
    public var weakness: Double
    /// C_i; nil for an excluded first layer.
    public var criticality: Double?
  }

  /// In forward order.
  public var layers: [Layer]
  /// W of the input itself.
  public var inputWeakness: Double

  /// C_i = W_i / W_{i-1} of given weaknesses, i - 1 being the unit before in `Model.units`. A
  /// quotient of two zeros is 0.
  public init(names: [String], weakness: [Double], input: Double, firstLayer: FirstLayer) {
    func ratio(_ a: Double, _ b: Double) -> Double { a == 0 && b == 0 ? 0 : a / b }
    layers = zip(names, weakness).enumerated().map { index, pair in
      let value: Double? =
        switch (index, firstLayer) {
        case (0, .paper): pair.1
        case (0, .exclude): nil
        case (0, .input): ratio(pair.1, input)
        default: ratio(pair.1, weakness[index - 1])
        }
      return Layer(index: index, name: pair.0, weakness: pair.1, criticality: value)
    }
    inputWeakness = input
  }

  /// Indices of the layers by falling criticality; of equals the earlier one first.
  public var ranking: [Int] {
    layers.filter { $0.criticality != nil }.sorted { a, b in
      let (x, y) = (a.criticality ?? 0, b.criticality ?? 0)
      return x == y ? a.index < b.index : x > y
    }.map(\.index)
  }
}

extension Criticality {
  /// Attacks the images once on the model's output, in evaluation mode, and compares all features.
  ///
  /// - Parameters:
  ///   - dataset: all of its images are used, as they are.
  ///   - batchSize: images per program run.
  ///   - seed: of the attack's random start; `draw` counts the calls within a run.
  /// - Throws: IRError and DatasetError for settings or images that do not fit.
  public static func compute(
    _ session: ModelSession, _ dataset: Dataset, _ options: Options = Options(),
    batchSize: Int = 128, seed: UInt64 = 0, draw: Int = 0
  ) throws -> Criticality {
    let stream = RandomStream(seed: seed, epoch: draw, purpose: .criticality)
    let plan = try BatchPlan.sequential(count: dataset.count, batchSize: batchSize)
    let assembler = try BatchAssembler(dataset: dataset, plan: plan, seed: seed, epoch: draw)
    var attack = options.attack
    attack.batchNorm = .eval
    var sums = [Double](repeating: 0, count: session.model.units.count + 1)
    for index in 0..<plan.batchCount {
      let batch = try assembler.batch(index)
      try session.load(batch)
      try session.attack(attack, batch: batch.count, stream: stream)
      for (place, value) in try sumsOfBatch(session, batch.count, options).enumerated() {
        sums[place] += value
      }
    }
    let mean = sums.map { $0 / Double(dataset.count) }
    return Criticality(
      names: session.model.units.map(\.name), weakness: Array(mean.dropFirst()), input: mean[0],
      firstLayer: options.firstLayer)
  }

  /// Sums over images of the normalised distance: of the input, then of every layer.
  private static func sumsOfBatch(
    _ session: ModelSession, _ count: Int, _ options: Options
  ) throws -> [Double] {
    let relative = options.normalization == .relative
    let program = try session.program(.criticality(options.tap, norms: relative), batch: count)
    program.run()
    let (height, width, channels) = session.model.imageShape
    let sizes =
      [height * width * channels]
      + (try CriticalityGraph.sizes(session.model, tap: options.tap))
    return try sizes.enumerated().map { place, size in
      let name = place == 0 ? "input" : "\(place - 1)"
      let distances = try program.floats("distance.\(name)").map(Double.init)
      switch options.normalization {
      case .size: return distances.reduce(0, +) / Double(size)
      case .rootSize: return distances.reduce(0, +) / Double(size).squareRoot()
      case .none: return distances.reduce(0, +)
      case .relative:
        let norms = try program.floats("norm.\(name)").map(Double.init)
        return zip(distances, norms).reduce(0) { $0 + $1.0 / $1.1 }
      }
    }
  }
}
