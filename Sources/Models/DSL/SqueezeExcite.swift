import IR

/// Squeeze and excitation (Hu et al. 2018): x times a gate for every channel of every image,
/// gate(fc2(activation(fc1(mean of x over its pixels)))).
///
/// fc1 and fc2 are 1x1 convolutions with biases, named as in torchvision's `SqueezeExcitation`
/// unless `layers` says otherwise. They are no main-path layers; the product still counts as the
/// feature of the convolution that made x.
public struct SqueezeExcite: Module {
  public let name: String?
  public let channels: Int
  public let activation, gate: any Activation
  public let layers: (squeeze: String, excite: String)
  public var extendsFeature: Bool { true }

  /// - Parameter channels: of the squeezed vector, which fc1 makes.
  public init(
    _ name: String? = nil, channels: Int, activation: any Activation = ReLU(),
    gate: any Activation = Sigmoid(),
    layers: (squeeze: String, excite: String) = ("fc1", "fc2")
  ) {
    self.name = name
    self.channels = channels
    self.activation = activation
    self.gate = gate
    self.layers = layers
  }

  public func emit(_ x: ValueID, _ context: EmitContext) throws -> ValueID {
    let type = context.builder.type(x)
    guard type.rank == 4 else {
      throw ModelError("squeeze and excitation reads NHWC images, not \(type)")
    }
    let window: Attribute = .ints([type.shape[1], type.shape[2]])
    let mean = try context.builder.emitOne("avg_pool", [x], ["kernel": window, "stride": window])
    let modules: [any Module] = [
      Conv2d(layers.squeeze, channels: channels, kernel: 1, bias: true), activation,
      Conv2d(layers.excite, channels: type.channels, kernel: 1, bias: true), gate,
    ]
    let gates = try context.inBranch(.gate) { try context.emit(modules, mean) }
    let vector = try context.builder.emitOne("flatten", [gates])
    return try context.builder.emitOne("image_scale", [x, vector])
  }
}
