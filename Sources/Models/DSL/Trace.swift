import IR

/// What one emission met: parameters, layers with their features, and blocks.
struct Trace {
  struct Feature {
    var convolution: ValueID
    var activation: ValueID
  }

  /// In forward order.
  var parameters: [ParameterInfo] = []
  /// Convolutions, shortcuts and linear layers in forward order.
  private(set) var layers: [LayerInfo] = []
  /// One for each layer.
  private(set) var features: [Feature] = []
  private(set) var blocks: [BlockInfo] = []
  /// By index in `blocks`.
  private(set) var blockOutputs: [Int: ValueID] = [:]

  /// How many dropouts there were.
  var dropouts = 0

  /// The values that are features so far, and whose.
  private var open: [ValueID: Int] = [:]
  /// The layers' raw outputs.
  private var outputs: [ValueID: Int] = [:]
  /// Indices in `blocks`, the innermost last.
  private var openBlocks: [Int] = []

  /// - Parameters:
  ///   - weight, bias: the names of the layer's tensors.
  mutating func declare(
    name: String, kind: LayerInfo.Kind, weight: String, bias: String?, output: ValueID
  ) {
    let index = layers.count
    layers.append(
      LayerInfo(
        index: index, name: name, weight: weight, bias: bias, norm: nil, kind: kind,
        block: openBlocks.last))
    features.append(Feature(convolution: output, activation: output))
    if let block = openBlocks.last { blocks[block].layers.append(index) }
    outputs[output] = index
    open[output] = index
  }

  /// Notes that a batch norm reads `x`; it belongs to the layer whose raw output `x` is.
  mutating func declareNorm(_ norm: NormInfo, of x: ValueID) {
    if let block = openBlocks.last { blocks[block].norms.append(norm) }
    if let layer = outputs[x] { layers[layer].norm = norm }
  }

  /// The feature that is `x` so far goes on to `y`.
  mutating func advance(_ x: ValueID, to y: ValueID) {
    guard let feature = open.removeValue(forKey: x) else { return }
    features[feature].activation = y
    open[y] = feature
  }

  /// The feature that is `x` so far is complete.
  mutating func settle(_ x: ValueID) { open[x] = nil }

  mutating func openBlock(name: String?) {
    openBlocks.append(blocks.count)
    blocks.append(BlockInfo(name: name))
  }

  mutating func closeBlock(output: ValueID) { blockOutputs[openBlocks.removeLast()] = output }
}

extension Trace {
  /// Notes what the taps of a written graph say: the activation of a layer under its name, and the
  /// output of a block under the beginning of its layers' names.
  ///
  /// A layer or batch norm belongs to the block with the longest such name.
  mutating func declare(taps: [(name: String, value: ValueID)], norms: [NormInfo]) {
    let indices = Dictionary(layers.map { ($0.name, $0.index) }) { first, _ in first }
    let holders = Set(layers.flatMap { Self.holders($0.name) })
    var known: [String: Int] = [:]
    for (name, value) in taps {
      if let layer = indices[name] {
        features[layer].activation = value
      } else if holders.contains(name), known[name] == nil {
        known[name] = blocks.count
        blockOutputs[blocks.count] = value
        blocks.append(BlockInfo(name: name))
      }
    }
    for index in layers.indices {
      guard let block = Self.holders(layers[index].name).compactMap({ known[$0] }).first
      else { continue }
      layers[index].block = block
      blocks[block].layers.append(index)
    }
    for norm in norms {
      let names = Self.holders(norm.gamma).dropFirst()
      if let block = names.compactMap({ known[$0] }).first { blocks[block].norms.append(norm) }
    }
  }

  /// `a.b` and `a` for `a.b.c`.
  private static func holders(_ name: String) -> [String] {
    name.indices.reversed().filter { name[$0] == "." }.map { String(name[..<$0]) }
  }
}
