import IR
import Models

/// Which layers are critical.
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
  /// As a share of the main-path layers, rounded up.
  public var fraction: Double?
  /// The layers of `fixed`: indices, or names as in `Model.layers`.
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
    let share = fraction.map { Int(($0 * Double(model.layers.count)).rounded(.up)) }
    let k = count ?? share ?? model.defaultCriticalCount
    guard (1...model.layers.count).contains(k) else {
      throw IRError("\(k) critical layers: \(model.name) has 1...\(model.layers.count)")
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
    case .random: return Array(shuffled(model.layers.count, seed, draw).prefix(k)).sorted()
    case .largest, .smallest, .fixed:
      let ranking = criticality?.ranking ?? []
      guard ranking.count >= k else {
        throw IRError("\(k) critical layers wanted, only \(ranking.count) have a criticality")
      }
      return (rule == .smallest ? Array(ranking.suffix(k)) : Array(ranking.prefix(k))).sorted()
    }
  }

  private func resolvedLayers(_ model: Model) throws -> [Int] {
    let names = model.layers.map(\.name)
    let indices = try layers.map { text in
      if let index = names.firstIndex(of: text) { return index }
      if let index = Int(text), names.indices.contains(index) { return index }
      let hint = nearest(to: text, in: names).map { "; did you mean '\($0)'?" } ?? ""
      throw IRError(
        "'\(text)' is no layer of \(model.name): 0...\(names.count - 1) or a name\(hint)")
    }
    guard !indices.isEmpty else { throw IRError("selection 'fixed' needs a list of layers") }
    return Set(indices).sorted()
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
