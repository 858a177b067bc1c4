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

  mutating func declare(name: String, kind: LayerInfo.Kind, bias: Bool, output: ValueID) {
    let index = layers.count
    layers.append(
      LayerInfo(
        index: index, name: name, weight: "\(name).weight", bias: bias ? "\(name).bias" : nil,
        norm: nil, kind: kind, block: openBlocks.last))
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
