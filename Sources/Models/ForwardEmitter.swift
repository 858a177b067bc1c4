import IR

/// The values that count as the output of one main-path convolution.
public struct LayerFeature: Sendable, Hashable {
  /// Index in `Model.layers`.
  public var layer: Int
  /// The convolution's own output, bias included.
  public var convolution: ValueID
  /// After the batch norm, residual add and ReLU that follow; in pre-activation networks the last
  /// convolution of a block goes on through the next block's first batch norm and ReLU.
  public var activation: ValueID
  /// Output of the enclosing block; the activation where there is none.
  public var block: ValueID
}

/// One evaluation of a network within a graph.
public struct Forward: Sendable {
  /// f32 [N, classes].
  public var logits: ValueID
  /// One for each entry of `Model.layers`.
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

  /// Emits the network; the first call in a graph also taps every layer's activation by its name.
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
    let features = context.trace.features.enumerated().map { index, feature in
      LayerFeature(
        layer: index, convolution: feature.convolution, activation: feature.activation,
        block: feature.block ?? feature.activation)
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
    for (layer, feature) in zip(model.layers, features) where !known.contains(layer.name) {
      builder.tap(layer.name, feature.activation)
    }
  }
}
