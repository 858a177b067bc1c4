import IR
import Testing

@testable import Models

/// Networks written as graphs and read back.
@Suite struct NetworkGraphTests {
  /// The emission in training mode with every feature as an output.
  private func text(_ model: Model) throws -> String {
    let builder = GraphBuilder(name: "network")
    let (height, width, channels) = model.imageShape
    let images = try builder.input("images", .f32(3, height, width, channels), .data)
    let emitter = ForwardEmitter(builder: builder, model: model, mode: .train)
    let forward = try emitter(images)
    builder.output("logits", forward.logits)
    for (unit, feature) in zip(model.units, forward.features) {
      builder.output("\(unit.label) convolution", feature.convolution)
      builder.output("\(unit.label) activation", feature.activation)
      builder.output("\(unit.label) block", feature.block)
    }
    emitter.outputBufferUpdates()
    return builder.graph.compacted().text
  }

  private func reread(_ model: Model, _ change: (inout Graph) -> Void = { _ in }) throws -> Model {
    var graph = try Graph(parsing: model.graph().graph.text)
    change(&graph)
    return try Model(NetworkGraph(graph), named: model.name)
  }

  private static let all = LayerSet(includesShortcuts: true, includesLinear: true)

  @Test(arguments: Model.names + ["wrn-16-2", "resnet20:shortcut=B"])
  func roundTrip(name: String) throws {
    let model = try makeModel(name)
    let copy = try reread(model)
    #expect(copy.parameters == model.parameters)
    #expect("\(copy.allLayers)" == "\(model.allLayers)")
    #expect("\(copy.blocks)" == "\(model.blocks)")
    #expect(copy.defaultCriticalCount == model.defaultCriticalCount)
    #expect(copy.flops() == model.flops() && copy.classes == 10)
    #expect(try text(copy.counting(Self.all)) == text(model.counting(Self.all)))
    let blocks = LayerSet(unit: .block)
    #expect(try text(copy.counting(blocks)) == text(model.counting(blocks)))
    #expect(try copy.graph().graph == model.graph().graph)
  }

  /// Without the words of the text, structure tells shortcuts and features.
  @Test(arguments: Model.names + ["wrn-16-2", "resnet20:shortcut=B"])
  func structure(name: String) throws {
    let model = try makeModel(name)
    let copy = try reread(model) { graph in
      graph.taps = []
      graph.header = [:]
    }
    #expect(copy.allLayers.map(\.kind) == model.allLayers.map(\.kind))
    #expect(copy.blocks.isEmpty)
    let layers = try [copy, model].map { try text($0).split(separator: "\n") }
    let activations = layers.map { $0.filter { $0.contains("activation") } }
    #expect(activations[0] == activations[1])
  }

  @Test(arguments: ["small-cnn", "wrn-10-1", "resnet18:width=2"])
  func firstWeights(name: String) throws {
    let model = try makeModel(name)
    #expect(try reread(model).initialValues(seed: 7) == model.initialValues(seed: 7))
  }

  @Test func normalizationIsWritten() throws {
    let model = try Model(
      ModelSpec("small-cnn"), imageShape: cifar, classes: 10, mean: [0.1, 0.2, 0.3],
      std: [0.5, 0.25, 1])
    #expect(try text(reread(model)) == text(model))
  }

  /// The header's word counts, whatever the structure.
  @Test func namedShortcuts() throws {
    let model = try reread(makeModel("resnet18:width=2")) { graph in
      graph.header["shortcuts"] = .string("conv1, layer1.0.conv1")
    }
    #expect(
      model.allLayers.filter { $0.kind == .shortcut }.map(\.name) == ["conv1", "layer1.0.conv1"])
  }

  /// Dropouts are part of the text, and of training alone.
  @Test func dropout() throws {
    let model = try Model(named: "dropped", imageShape: cifar, classes: 10) {
      Conv2d("conv1", channels: 4, kernel: 3)
      Dropout(0.25)
      ReLU()
      GlobalAvgPool()
      Dropout()
      Linear("linear", features: 10)
    }
    let copy = try reread(model)
    // The inputs that dropouts draw from come in another place among the weights.
    let nodes = try [copy, model].map { try emitted($0, .train).graph.nodes }
    #expect(nodes[0].map(\.op) == nodes[1].map(\.op))
    #expect(nodes[0].map(\.attributes) == nodes[1].map(\.attributes))
    #expect(nodes[0].count { $0.op == "dropout" } == 2)
    #expect(try emitted(copy, .eval).graph.nodes.allSatisfy { $0.op != "dropout" })
    #expect(copy.flops() == model.flops())
  }

  /// Gates are neither on the main path nor the end of the features that they scale.
  @Test func squeezeAndExcitation() throws {
    let model = try Model(named: "gated", imageShape: cifar, classes: 10) {
      Block("block") {
        Residual {
          Conv2d("conv1", channels: 8, kernel: 3, padding: 1)
          BatchNorm2d("bn1")
          SqueezeExcite("se", channels: 4)
          ReLU()
          Conv2d("conv2", channels: 3, kernel: 3, padding: 1)
          SqueezeExcite("se2", channels: 2)
        }
      }
      GlobalAvgPool()
      Linear("linear", features: 10, bias: false)
    }
    let kinds: [LayerInfo.Kind] = [.convolution, .gate, .gate, .convolution, .gate, .gate, .linear]
    #expect(model.allLayers.map(\.kind) == kinds)
    let copy = try reread(model)
    #expect("\(copy.allLayers)" == "\(model.allLayers)")
    #expect(try text(copy) == text(model))
    let bare = try reread(model) { graph in
      graph.taps = []
      graph.header = [:]
    }
    #expect(bare.allLayers.map(\.kind) == kinds)
    let activations = try [bare, model].map { model in
      try text(model).split(separator: "\n").filter { $0.contains("activation") }
    }
    #expect(activations[0] == activations[1])
  }

  /// An addition whose shortcut comes first, as in `x + conv(x)`.
  @Test func shortcutAsFirstOperand() throws {
    let text = """
      graph @net {
        input %0 "x" data : f32[1,4,4,8]
        input %1 "a" parameter : f32[8,8,3,3]
        input %2 "b" parameter : f32[8,8,3,3]
        input %3 "s" parameter : f32[8,8,1,1]
        input %4 "fc.weight" parameter : f32[3,8]
        %5 = conv2d %0, %3
        %6 = conv2d %0, %1 {pad = [1, 1]}
        %7 = relu %6
        %8 = conv2d %7, %2 {pad = [1, 1]}
        %9 = add %5, %8
        %10 = relu %9
        %11 = global_avg_pool %10
        %12 = linear %11, %4
        output "logits" %12
      }
      """
    let model = try Model(NetworkGraph(Graph(parsing: text)), named: "net.ir")
    #expect(model.layers.map(\.name) == ["a", "b"])
    #expect(model.allLayers.map(\.kind) == [.shortcut, .convolution, .convolution, .linear])
    #expect(model.allLayers[3].name == "fc" && model.allLayers[3].bias == nil)
    let (graph, forward) = try emitted(model, .eval)
    #expect(forward.features.map { graph.maker($0.activation) } == ["relu", "relu"])
    #expect(forward.features[1].activation != forward.features[1].convolution)
  }

  @Test(arguments: [
    ("output \"logits\" %3", "output \"logits\" %3 output \"more\" %3", "one output"),
    ("output \"logits\" %3", "output \"logits\" %2", "logits are f32[N,C], found f32[1,4,4,4]"),
    ("\"x\" data", "\"x\" state", "input \"x\": a network has no input of role state"),
    ("\"w\" parameter", "\"w\" data", "one input of role data"),
    ("\"w\" parameter", "\"w\" buffer", "input \"w\": conv2d takes no buffer as operand 1"),
    ("relu %2", "relu_grad %2, %2", "relu_grad here is no layer of a network"),
    ("conv2d %0, %1", "conv2d %0, %0", "input \"w\": one node must read it, 0 do"),
    ("{", "{initialization = \"best\"} {", "initialization \"best\" is not known; known: torch"),
  ])
  func refusals(old: String, new: String, expected: String) {
    let text = """
      graph @net {
        input %0 "x" data : f32[1,4,4,4]
        input %1 "w" parameter : f32[4,4,1,1]
        %2 = conv2d %0, %1
        %3 = global_avg_pool %2
        %4 = relu %2
        output "logits" %3
      }
      """
    let wrong = text.replacing(old, with: new, maxReplacements: 1)
      .replacing("conv2d %0, %0", with: "relu %0")
    let found = message { _ = try Model(NetworkGraph(Graph(parsing: wrong)), named: "net.ir") }
    #expect(found.contains(expected), "\(found)")
  }
}
