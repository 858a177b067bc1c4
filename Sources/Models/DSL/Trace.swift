import IR

/// What one emission met: parameters, layers, and the features of the main path.
struct Trace {
  struct Feature {
    var convolution: ValueID
    var activation: ValueID
    var block: ValueID?
  }

  /// In forward order; `layer` is filled in by `Model`.
  var parameters: [ParameterInfo] = []
  /// Convolutions, shortcuts and linear layers in forward order; the index is filled in by `Model`.
  private(set) var layers: [LayerInfo] = []
  /// One for each main-path convolution, in forward order.
  private(set) var features: [Feature] = []

  /// The values that are features so far, and whose.
  private var open: [ValueID: Int] = [:]
  /// The layers' raw outputs.
  private var outputs: [ValueID: Int] = [:]

  mutating func declare(name: String, kind: LayerInfo.Kind, bias: Bool, output: ValueID) {
    outputs[output] = layers.count
    layers.append(
      LayerInfo(
        index: 0, name: name, weight: "\(name).weight", bias: bias ? "\(name).bias" : nil,
        norm: nil, kind: kind))
    if kind == .convolution {
      open[output] = features.count
      features.append(Feature(convolution: output, activation: output))
    }
  }

  /// Notes that the batch norm `name` reads `x`; it belongs to the layer whose raw output `x` is.
  mutating func declareNorm(name: String, of x: ValueID) {
    guard let layer = outputs[x] else { return }
    layers[layer].norm = (
      gamma: "\(name).weight", beta: "\(name).bias", mean: "\(name).running_mean",
      variance: "\(name).running_var"
    )
  }

  /// The feature that is `x` so far goes on to `y`.
  mutating func advance(_ x: ValueID, to y: ValueID) {
    guard let feature = open.removeValue(forKey: x) else { return }
    features[feature].activation = y
    open[y] = feature
  }

  /// The feature that is `x` so far is complete.
  mutating func settle(_ x: ValueID) { open[x] = nil }

  /// Convolutions since `first` that are in no inner block get this one's output.
  mutating func closeBlock(from first: Int, output: ValueID) {
    for index in first..<features.count where features[index].block == nil {
      features[index].block = output
    }
  }
}
