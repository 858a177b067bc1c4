import IR

extension Model {
  /// A network from a graph. Images and classes are the graph's; the number of images in it does
  /// not matter, nor does the mode of its batch norms.
  ///
  /// The graph's header may say `initialization` ("torch", "kaiming-normal", "wide-resnet";
  /// PyTorch's default unless given), `critical` (how many layers CLAT trains) and `shortcuts` (the
  /// names of convolutions that are not on the main path, separated by commas).
  ///
  /// - Parameter name: in reports and errors, such as the file's.
  /// - Throws: ModelError where the graph is no network or normalisation does not fit.
  public init(
    _ network: NetworkGraph, named name: String, mean: [Double]? = nil, std: [Double]? = nil
  ) throws {
    let header = network.graph.header
    let choice = header["initialization"].map { _ in header.string("initialization") } ?? "torch"
    guard let initialization = Initialization.all.first(where: { $0.name == choice }) else {
      let known = Initialization.all.map(\.name).joined(separator: ", ")
      throw ModelError("\(name): initialization \"\(choice)\" is not known; known: \(known)")
    }
    let critical = header.int("critical")
    let architecture = Architecture(
      name: name, initialization: initialization, criticalCount: critical > 0 ? critical : nil
    ) { _, _ in Sequential { GraphModule(network) } }
    try self.init(
      ModelSpec(unregistered: name), architecture, imageShape: network.imageShape,
      classes: network.classes, mean: mean, std: std)
  }

  /// The network as a graph in evaluation mode, with everything that `init` reads back: the same
  /// tensors, layers, features, blocks and first weights. Normalisation is part of it.
  ///
  /// - Parameter batch: images, at least 1.
  public func graph(batch: Int = 1) throws -> NetworkGraph {
    let builder = GraphBuilder(name: name)
    let shortcuts = allLayers.filter { $0.kind == .shortcut }.map(\.name)
    builder.header("initialization", .string(architecture.initialization.name))
    builder.header("shortcuts", .string(shortcuts.joined(separator: ", ")))
    if let count = architecture.criticalCount { builder.header("critical", .int(count)) }
    let context = EmitContext(builder: builder, mode: .eval, keepsDropouts: true)
    let (height, width, channels) = imageShape
    let images = try builder.input("images", .f32(batch, height, width, channels), .data)
    builder.output("logits", try emit(images, context))
    for (layer, feature) in zip(allLayers, context.trace.features) {
      builder.tap(layer.name, feature.activation)
    }
    for (index, block) in blocks.enumerated() {
      guard let name = block.name, let output = context.trace.blockOutputs[index] else { continue }
      builder.tap(name, output)
    }
    return try NetworkGraph(builder.graph.compacted())
  }
}
