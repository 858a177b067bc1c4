import IR

/// A network for images of one shape: its description, its tensors and its layers.
public struct Model: Sendable {
  /// The registry's names; `wrn-DEPTH-WIDTH` is known for every depth 6n + 4.
  public static var names: [String] { Architecture.known.map(\.name) }

  public let spec: ModelSpec
  public let classes: Int
  public let imageShape: (height: Int, width: Int, channels: Int)
  /// All tensors in the order of PyTorch's state_dict, without `num_batches_tracked`.
  public let parameters: [ParameterInfo]
  /// All convolutions and linear layers in forward order; a block's shortcut comes after its body.
  public let allLayers: [LayerInfo]
  /// Main-path convolutions in forward order.
  public let layers: [LayerInfo]
  public let blocks: [BlockInfo]
  /// What CLAT ranks and selects, numbered from 0 in forward order: `layers` unless `counting` says
  /// otherwise.
  public private(set) var units: [LayerUnit]
  public private(set) var layerSet = LayerSet()

  let architecture: Architecture
  private let network: [any Module]
  private let flopsPerImage: Double

  /// Builds a network of the registry and checks that it fits the images.
  ///
  /// - Parameters:
  ///   - imageShape: pixels and channels of the images, which come in [0, 1].
  ///   - mean: by channel; with `std`, the network begins with (x - mean) / std.
  /// - Throws: ModelError where specification, images, classes or normalisation do not fit.
  public init(
    _ spec: ModelSpec, imageShape: (height: Int, width: Int, channels: Int), classes: Int,
    mean: [Double]? = nil, std: [Double]? = nil
  ) throws {
    let (architecture, arguments) = try Architecture.resolve(spec)
    try self.init(
      spec, architecture, arguments, imageShape: imageShape, classes: classes, mean: mean,
      std: std)
  }

  /// Builds a network of the registry for the images and classes that it was published for.
  ///
  /// - Throws: ModelError where specification and images do not fit.
  public init(_ spec: ModelSpec) throws {
    let input = spec.input
    try self.init(
      spec, imageShape: (input.height, input.width, input.channels), classes: input.classes)
  }

  /// Builds a network that is not in the registry; weights start as PyTorch's defaults.
  ///
  /// - Parameter network: maps [N, height, width, channels] to [N, classes].
  /// - Throws: ModelError where network, images, classes or normalisation do not fit.
  public init(
    named name: String, imageShape: (height: Int, width: Int, channels: Int), classes: Int,
    mean: [Double]? = nil, std: [Double]? = nil,
    @ModuleBuilder network: @Sendable () -> [any Module]
  ) throws {
    let modules = network()
    try self.init(
      ModelSpec(unregistered: name), Architecture(name: name) { _, _ in Sequential { modules } },
      imageShape: imageShape, classes: classes, mean: mean, std: std)
  }

  init(
    _ spec: ModelSpec, _ architecture: Architecture,
    _ arguments: Arguments = Arguments(values: [:]),
    imageShape: (height: Int, width: Int, channels: Int), classes: Int, mean: [Double]?,
    std: [Double]?
  ) throws {
    try Self.check(spec, imageShape, classes)
    let network = try architecture.network(arguments, classes)
    let normalize = try Self.normalization(spec, mean, std)
    try self.init(spec, architecture, normalize + [network], imageShape, classes)
  }

  private init(
    _ spec: ModelSpec, _ architecture: Architecture, _ network: [any Module],
    _ imageShape: (height: Int, width: Int, channels: Int), _ classes: Int
  ) throws {
    let (height, width, channels) = imageShape
    let builder = GraphBuilder(name: spec.description)
    let context = EmitContext(builder: builder, mode: .eval)
    do {
      let images = try builder.input("images", .f32(1, height, width, channels), .data)
      let logits = builder.type(try context.emit(network, images))
      guard logits == .f32(1, classes) else {
        throw ModelError("the network ends in \(logits), expected \(TensorType.f32(1, classes))")
      }
      try Self.checkNames(context.trace.parameters)
    } catch let error as ModelError {
      let size = "\(height)x\(width)x\(channels)"
      throw ModelError("\(spec) does not fit images of \(size): \(error.message)")
    }
    self.spec = spec
    self.imageShape = imageShape
    self.classes = classes
    self.architecture = architecture
    self.network = network
    allLayers = context.trace.layers
    layers = allLayers.filter(\.isMainPath)
    blocks = context.trace.blocks
    units = try layerSet.units(allLayers, blocks, model: spec.description)
    parameters = context.trace.parameters
    flopsPerImage = try Self.flops(builder.graph)
  }

  /// The specification's text: `resnet18:width=16`.
  public var name: String { spec.description }

  /// What the specification may set, with the values that it has.
  public var settings: [(name: String, value: String)] {
    architecture.parameters.map { ($0.name, spec.parameters[$0.name] ?? $0.defaultValue) }
  }

  /// Number of trainable scalars.
  public var parameterCount: Int {
    parameters.filter(\.isTrainable).reduce(0) { $0 + $1.count }
  }

  /// Floating-point operations of one forward pass of one image in evaluation mode; a multiply-add
  /// counts as two.
  public func flops() -> Double { flopsPerImage }

  /// How many units CLAT trains: the paper's number where they are the paper's layers, else 5 % of
  /// them, rounded up.
  public var defaultCriticalCount: Int {
    let published = layerSet == LayerSet() ? architecture.criticalCount : nil
    return published ?? (units.count + 19) / 20
  }

  /// The same network with other units.
  ///
  /// - Throws: ModelError for names that the network has not, or that share a layer, and where
  ///   nothing is left.
  public func counting(_ set: LayerSet) throws -> Model {
    var model = self
    model.layerSet = set
    model.units = try set.units(allLayers, blocks, model: name)
    guard !model.units.isEmpty else { throw ModelError("\(name) has no layers of this kind") }
    return model
  }

  func emit(_ images: ValueID, _ context: EmitContext) throws -> ValueID {
    try context.emit(network, images)
  }
}

extension Model {
  private static func check(
    _ spec: ModelSpec, _ shape: (height: Int, width: Int, channels: Int), _ classes: Int
  ) throws {
    guard (2...1_000_000).contains(classes) else {
      throw ModelError("\(spec): needs at least 2 classes, got \(classes)")
    }
    let extents = [("height", shape.height), ("width", shape.width), ("channels", shape.channels)]
    for (name, extent) in extents where !(1...65536).contains(extent) {
      throw ModelError("\(spec): image \(name) must be from 1 to 65536, is \(extent)")
    }
  }

  private static func checkNames(_ parameters: [ParameterInfo]) throws {
    var known: Set<String> = []
    for parameter in parameters where !known.insert(parameter.name).inserted {
      throw ModelError("two tensors are named \(parameter.name)")
    }
  }

  private static func normalization(
    _ spec: ModelSpec, _ mean: [Double]?, _ std: [Double]?
  ) throws -> [any Module] {
    switch (mean, std) {
    case (nil, nil): return []
    case (let mean?, let std?): return [Normalize(mean: mean, std: std)]
    default: throw ModelError("\(spec): mean and std must be given together")
    }
  }

  private static func flops(_ graph: Graph) throws -> Double {
    try graph.nodes.reduce(0) { total, node in
      let definition = try OpRegistry.definition(node.op)
      let (operands, results) = (node.operands.map(graph.type), node.results.map(graph.type))
      return total + definition.cost(operands, node.attributes, results).flops
    }
  }
}
