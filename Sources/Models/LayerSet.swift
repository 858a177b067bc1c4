import IR

/// Which parts of a network CLAT ranks and selects.
public struct LayerSet: Sendable, Hashable {
  /// What is taken as one.
  public enum Unit: String, Sendable, CaseIterable {
    /// Every convolution of the main path (the paper).
    case layer
    /// Every block with all that it holds; layers outside blocks stand for themselves.
    case block
  }

  public var unit: Unit
  /// Whether convolutions of shortcuts count too, where no block takes them in.
  public var includesShortcuts: Bool
  public var includesLinear: Bool
  /// Names of layers of any kind and of blocks, which count instead of all the above; empty for
  /// none.
  public var names: [String]

  public init(
    unit: Unit = .layer, includesShortcuts: Bool = false, includesLinear: Bool = false,
    names: [String] = []
  ) {
    self.unit = unit
    self.includesShortcuts = includesShortcuts
    self.includesLinear = includesLinear
    self.names = names
  }
}

/// What CLAT ranks, selects and trains as one: a layer, or a whole block.
public struct LayerUnit: Sendable {
  /// Position in `Model.units`.
  public var index: Int
  /// Of the layer or the block: `layer1.0.conv1`, `layer1.0`.
  public var name: String
  /// In forward order.
  public var layers: [LayerInfo]
  /// A layer's own batch norm, or all of a block's.
  public var norms: [NormInfo]

  /// The layer whose feature is the unit's: the last on the main path.
  var featured: LayerInfo { layers.last(where: \.isMainPath) ?? layers[layers.count - 1] }

  /// `11 layer3.1.conv1`.
  public var label: String { "\(index) \(name)" }

  init(_ layer: LayerInfo) {
    self.init(index: 0, name: layer.name, layers: [layer], norms: layer.norm.map { [$0] } ?? [])
  }

  /// nil for a block without layers.
  init?(_ block: BlockInfo, of layers: [LayerInfo]) {
    let members = block.layers.map { layers[$0] }
    guard let first = members.first, let last = members.last else { return nil }
    self.init(
      index: 0, name: block.name ?? "\(first.name)...\(last.name)", layers: members,
      norms: block.norms)
  }

  private init(index: Int, name: String, layers: [LayerInfo], norms: [NormInfo]) {
    self.index = index
    self.name = name
    self.layers = layers
    self.norms = norms
  }
}

extension LayerSet {
  /// The units of a network, numbered from 0 in forward order of their first layers.
  ///
  /// - Parameter model: named in errors.
  /// - Throws: ModelError for a name that the network has not, suggesting the nearest it has, and
  ///   for names that share a layer.
  func units(_ layers: [LayerInfo], _ blocks: [BlockInfo], model: String) throws -> [LayerUnit] {
    let wholes = blocks.compactMap { LayerUnit($0, of: layers) }
    var units: [LayerUnit]
    if names.isEmpty {
      units = layers.filter { counts($0) }.map { LayerUnit($0) }
      if unit == .block { units += wholes }
    } else {
      units = try named(layers.map { LayerUnit($0) } + wholes, model)
    }
    units.sort { $0.layers[0].index < $1.layers[0].index }
    for index in units.indices { units[index].index = index }
    return units
  }

  /// Whether a layer stands for itself.
  private func counts(_ layer: LayerInfo) -> Bool {
    if unit == .block, layer.block != nil { return false }
    switch layer.kind {
    case .convolution: return true
    case .shortcut: return includesShortcuts
    case .gate: return false
    case .linear: return includesLinear
    }
  }

  private func named(_ known: [LayerUnit], _ model: String) throws -> [LayerUnit] {
    var owners: [Int: String] = [:]
    return try names.map { name in
      guard let unit = known.first(where: { $0.name == name }) else {
        throw ModelError.unknown(name, "layer or block of \(model)", known.map(\.name))
      }
      for layer in unit.layers {
        if let other = owners.updateValue(name, forKey: layer.index) {
          throw ModelError("'\(other)' and '\(name)' share the layer \(layer.name)")
        }
      }
      return unit
    }
  }
}
