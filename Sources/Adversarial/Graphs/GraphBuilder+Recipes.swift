import IR
import Models

extension GraphBuilder {
  /// An input of images for the model: f32 [batch, height, width, channels].
  func images(
    _ name: String, _ model: Model, _ batch: Int, _ role: InputRole = .data
  ) throws -> ValueID {
    guard batch > 0 else { throw IRError("the batch must hold at least 1 image, holds \(batch)") }
    let (height, width, channels) = model.imageShape
    return try input(name, .f32(batch, height, width, channels), role)
  }

  func labels(_ batch: Int) throws -> ValueID { try input("labels", .i32(batch), .data) }

  /// The batch mean of the cross entropy: f32 [1].
  func meanCrossEntropy(_ logits: ValueID, _ labels: ValueID) throws -> ValueID {
    try emitOne("mean", [try emitOne("cross_entropy", [logits, labels])])
  }

  /// The batch mean of the sum over features of ||moved_i - clean_i||_2 (CLAT, Eq. 5): f32 [1].
  func meanFeatureDistance(
    _ moved: [ValueID], _ clean: [ValueID], detachClean: Bool = false
  ) throws -> ValueID {
    let distances = try zip(moved, clean).map { try distance($0, $1, detachClean) }
    guard var sum = distances.first else {
      throw IRError("the feature distance needs at least one layer")
    }
    for distance in distances.dropFirst() { sum = try emitOne("add", [sum, distance]) }
    return try emitOne("mean", [sum])
  }

  private func distance(_ a: ValueID, _ b: ValueID, _ detach: Bool) throws -> ValueID {
    try emitOne("feature_distance", [a, b], detach ? ["detach": .bool(true)] : [:])
  }

  /// One SGD step on the loss for every trainable parameter, as outputs that update the inputs
  /// `<parameter>` and `optimizer.<parameter>`.
  func descend(_ loss: ValueID, _ model: Model, _ optimizer: SGDOptions) throws {
    let parameters = model.parameters.filter(\.isTrainable)
    let rate = try input("lr", .f32(1), .data)
    let weights = try parameters.map {
      try input($0.name, TensorType(.f32, $0.shape), .parameter)
    }
    let gradients = try emit("gradient", [loss] + weights)
    for ((parameter, weight), gradient) in zip(zip(parameters, weights), gradients) {
      let name = SGDOptions.stateName(parameter.name)
      let momentum = try input(name, TensorType(.f32, parameter.shape), .state)
      let new = try emit(
        "sgd", [weight, gradient, momentum, rate],
        [
          "momentum": .float(optimizer.momentum), "weight_decay": .float(optimizer.weightDecay),
        ])
      output(parameter.name, new[0], updates: weight)
      output(name, new[1], updates: momentum)
    }
  }
}

/// The constants of PyTorch's SGD; the learning rate is an input of the graph.
public struct SGDOptions: Sendable, Hashable {
  public var momentum: Double
  public var weightDecay: Double

  public init(momentum: Double = 0.9, weightDecay: Double = 5e-4) {
    self.momentum = momentum
    self.weightDecay = weightDecay
  }

  /// The name of a parameter's momentum in graphs and stores.
  public static func stateName(_ parameter: String) -> String { "optimizer.\(parameter)" }
}
