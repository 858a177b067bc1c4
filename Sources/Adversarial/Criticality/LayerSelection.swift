import IR
import Models

/// Which of `Model.units` are critical.
public struct LayerSelection: Sendable, Equatable {
  /// By what the layers are chosen.
  public enum Rule: String, Sendable, CaseIterable {
    /// The most critical ones (the paper).
    case largest
    case smallest
    /// Drawn anew at every selection.
    case random
    /// `layers`, always.
    case fixed
  }

  public var rule: Rule
  /// How many; nil for the model's default. Comes before `fraction`.
  public var count: Int?
  /// As a share of the units, rounded up.
  public var fraction: Double?
  /// The layers of `fixed`: indices, or names as in `Model.units`.
  public var layers: [String]

  public init(
    rule: Rule = .largest, count: Int? = nil, fraction: Double? = nil, layers: [String] = []
  ) {
    self.rule = rule
    self.count = count
    self.fraction = fraction
    self.layers = layers
  }

  /// How many layers of the model are selected.
  ///
  /// - Throws: IRError where the model has fewer.
  public func resolvedCount(_ model: Model) throws -> Int {
    let share = fraction.map { Int(($0 * Double(model.units.count)).rounded(.up)) }
    let k = count ?? share ?? model.defaultCriticalCount
    guard k >= 1, k <= model.units.count else {
      throw IRError("\(k) critical layers: \(model.name) has 1...\(model.units.count)")
    }
    return k
  }

  /// Indices of the selected layers, in forward order.
  ///
  /// - Parameters:
  ///   - criticality: needed by `largest` and `smallest`.
  ///   - draw: counts the selections of a run.
  public func select(
    _ model: Model, _ criticality: Criticality?, seed: UInt64, draw: Int
  ) throws -> [Int] {
    if rule == .fixed { return try resolvedLayers(model) }
    let k = try resolvedCount(model)
    switch rule {
    case .random: return Array(shuffled(model.units.count, seed, draw).prefix(k)).sorted()
    case .largest, .smallest, .fixed:
      let ranking = criticality?.ranking ?? []
      guard ranking.count >= k else {
        throw IRError("\(k) critical layers wanted, only \(ranking.count) have a criticality")
      }
      return (rule == .smallest ? Array(ranking.suffix(k)) : Array(ranking.prefix(k))).sorted()
    }
  }

  private func resolvedLayers(_ model: Model) throws -> [Int] {
    guard !layers.isEmpty else { throw IRError("selection 'fixed' needs a list of layers") }
    return Set(try layers.map { try Self.index(of: $0, in: model) }).sorted()
  }

  /// The unit that a text names or numbers.
  ///
  /// - Throws: IRError suggesting the nearest name.
  public static func index(of text: String, in model: Model) throws -> Int {
    let names = model.units.map(\.name)
    if let index = names.firstIndex(of: text) { return index }
    if let index = Int(text), names.indices.contains(index) { return index }
    let range = "0...\(names.count - 1) or a name"
    if (model.allLayers.map(\.name) + model.blocks.compactMap(\.name)).contains(text) {
      throw IRError("'\(text)' is not among the candidates of \(model.name): \(range) of them")
    }
    let hint = nearest(to: text, in: names).map { "; did you mean '\($0)'?" } ?? ""
    throw IRError("'\(text)' is no layer of \(model.name): \(range)\(hint)")
  }

  private func shuffled(_ count: Int, _ seed: UInt64, _ draw: Int) -> [Int] {
    let stream = RandomStream(seed: seed, epoch: draw, purpose: .selection)
    var order = Array(0..<count)
    for last in stride(from: count - 1, to: 0, by: -1) {
      let word = UInt64(stream.words(item: last, index: 0).0)
      order.swapAt(last, Int((word * UInt64(last + 1)) >> 32))
    }
    return order
  }
}
