import IR

/// The values that count as the output of a unit; of a block they are those of its last main-path
/// layer.
public struct LayerFeature: Sendable, Hashable {
  /// Index in `Model.units`.
  public var layer: Int
  /// The convolution's or linear layer's own output, bias included.
  public var convolution: ValueID
  /// After the batch norm, residual add and ReLU that follow; in pre-activation networks the last
  /// convolution of a block goes on through the next block's first batch norm and ReLU. That of a
  /// shortcut ends before the residual add.
  public var activation: ValueID
  /// Output of the enclosing block; the activation where there is none.
  public var block: ValueID
}

/// One evaluation of a network within a graph.
public struct Forward: Sendable {
  /// f32 [N, classes].
  public var logits: ValueID
  /// One for each entry of `Model.units`.
  public var features: [LayerFeature]
}

/// Emits a model into a graph, once or several times.
///
/// Parameters are inputs of role `parameter` under their PyTorch names, shared by all calls.
/// Running statistics are inputs of role `buffer`, threaded from call to call in training mode.
public final class ForwardEmitter {
  private let builder: GraphBuilder
  private let model: Model
  private let context: EmitContext

  public init(builder: GraphBuilder, model: Model, mode: BatchNormMode) {
    self.builder = builder
    self.model = model
    context = EmitContext(builder: builder, mode: mode)
  }

  /// Emits the network; the first call in a graph also taps every unit's activation by its name.
  ///
  /// - Parameter images: f32 [N, H, W, C] of the model's image shape, pixels in [0, 1].
  /// - Throws: ModelError where the images do not fit the model.
  public func callAsFunction(_ images: ValueID) throws -> Forward {
    let (height, width, channels) = model.imageShape
    let type = builder.type(images)
    guard type.dtype == .f32, type.rank == 4, Array(type.shape[1...]) == [height, width, channels]
    else {
      throw ModelError(
        "\(model.name): images must be f32[N,\(height),\(width),\(channels)], are \(type)")
    }
    context.trace = Trace()
    let logits = try model.emit(images, context)
    let features = model.units.map { unit in
      let feature = context.trace.features[unit.featured.index]
      let block = unit.featured.block.flatMap { context.trace.blockOutputs[$0] }
      return LayerFeature(
        layer: unit.index, convolution: feature.convolution, activation: feature.activation,
        block: block ?? feature.activation)
    }
    tap(features)
    return Forward(logits: logits, features: features)
  }

  /// Declares an output that updates every running statistic changed by a call in training mode.
  public func outputBufferUpdates() {
    for statistic in context.statistics where statistic.current != statistic.input {
      builder.output(statistic.name, statistic.current, updates: statistic.input)
    }
  }

  private func tap(_ features: [LayerFeature]) {
    let known = Set(builder.graph.taps.map(\.name))
    for (unit, feature) in zip(model.units, features) where !known.contains(unit.name) {
      builder.tap(unit.name, feature.activation)
    }
  }
}
