import IR
import Testing

@testable import Models

/// The examples of docs/adding-a-model.md, and networks outside the registry.
@Suite struct CustomModelTests {
  struct Scale: Module {
    let factor: Double
    var extendsFeature: Bool { true }

    func emit(_ x: ValueID, _ context: EmitContext) throws -> ValueID {
      try context.builder.emitOne("scale", [x], ["factor": .float(factor)])
    }
  }

  @Test func unregisteredNetwork() throws {
    let model = try Model(named: "tiny", imageShape: (8, 8, 1), classes: 10) {
      Conv2d("conv1", channels: 16, kernel: 3, padding: 1)
      Scale(factor: 0.5)
      ReLU()
      GlobalAvgPool()
      Linear("linear", features: 10)
    }
    #expect(model.name == "tiny" && model.layers.map(\.name) == ["conv1"])
    #expect(model.parameterCount == 16 * 9 + 16 * 10 + 10)
    let (graph, forward) = try emitted(model, .eval)
    #expect(graph.maker(forward.features[0].activation) == "relu")
    #expect(model.initialValues(seed: 1).count == 3)
  }

  /// Activations belong to the feature of the convolution before them.
  @Test func activations() throws {
    let activations: [(any Activation, String)] = [
      (ReLU(), "relu"), (Sigmoid(), "sigmoid"), (SiLU(), "silu"),
      (LeakyReLU(slope: 0.2), "leaky_relu"),
      (GELU(), "gelu"), (GELU(tanh: true), "gelu"), (Softplus(beta: 2), "softplus"),
      (Clamp.relu6, "clamp"), (HardSigmoid(), "hard_sigmoid"), (HardSwish(), "hard_swish"),
    ]
    for (activation, op) in activations {
      let model = try Model(named: "tiny", imageShape: (8, 8, 1), classes: 10) {
        Conv2d("conv1", channels: 16, kernel: 3, padding: 1)
        activation
        GlobalAvgPool()
        Linear("linear", features: 10)
      }
      let (graph, forward) = try emitted(model, .train)
      #expect(graph.maker(forward.features[0].activation) == op)
    }
  }

  /// The convolutions of a gate are layers, but not of the main path, and what they scale is still
  /// the feature of the convolution before.
  @Test func gates() throws {
    let model = try Model(named: "gated", imageShape: (8, 8, 1), classes: 10) {
      Conv2d("conv1", channels: 16, kernel: 3, padding: 1)
      SqueezeExcite("se", channels: 4)
      ReLU()
      GlobalAvgPool()
      Linear("linear", features: 10, bias: false)
    }
    #expect(model.layers.map(\.name) == ["conv1"] && model.units.map(\.name) == ["conv1"])
    #expect(model.allLayers.map(\.name) == ["conv1", "se.fc1", "se.fc2", "linear"])
    #expect(model.allLayers[1].kind == .gate && model.allLayers[3].bias == nil)
    let named = try model.counting(LayerSet(names: ["se.fc2", "conv1"]))
    #expect(named.units.map(\.name) == ["conv1", "se.fc2"])
    let (graph, forward) = try emitted(model, .eval)
    #expect(graph.maker(forward.features[0].activation) == "relu")
  }

  /// Dropouts are there in training mode alone, each with draws of its own, which all passes share.
  @Test func dropouts() throws {
    let model = try Model(named: "dropping", imageShape: (4, 4, 1), classes: 10) {
      Conv2d("conv1", channels: 16, kernel: 3, padding: 1)
      Dropout(0.25)
      Flatten()
      Dropout()
      Linear("linear", features: 10)
    }
    let builder = GraphBuilder(name: "twice")
    let emitter = ForwardEmitter(builder: builder, model: model, mode: .train)
    let images = try builder.input("images", .f32(2, 4, 4, 1), .data)
    let forward = try emitter(images)
    _ = try emitter(images)
    let nodes = builder.graph.nodes.filter { $0.op == "dropout" }
    #expect(nodes.map { $0.attributes.int("layer") } == [0, 1, 0, 1])
    #expect(nodes.map { $0.attributes.float("rate") } == [0.25, 0.5, 0.25, 0.5])
    #expect(forward.features[0].activation == nodes[0].results[0])
    #expect(try !emitted(model, .eval).graph.nodes.contains { $0.op == "dropout" })
  }

  @Test func allCNN() throws {
    let width = 8
    let network = Sequential("features") {
      for stage in 0..<2 {
        for index in 0..<3 {
          Conv2d(channels: width << stage, kernel: 3, stride: index == 2 ? 2 : 1, padding: 1)
          BatchNorm2d()
          ReLU()
        }
      }
    }
    let model = try Model(named: "all-cnn", imageShape: cifar, classes: 10) {
      network
      GlobalAvgPool()
      Linear("classifier", features: 10)
    }
    #expect(
      model.layers.map(\.name) == [0, 3, 6, 9, 12, 15].map { "features.\($0)" })
  }

  @Test func refusesWrongEndsAndOrders() {
    let wrongEnd = message {
      _ = try Model(named: "headless", imageShape: cifar, classes: 10) { GlobalAvgPool() }
    }
    #expect(
      wrongEnd == "headless does not fit images of 32x32x3: "
        + "the network ends in f32[1,3], expected f32[1,10]")
    let unpooled = message {
      _ = try Model(named: "flat", imageShape: cifar, classes: 10) { Linear("fc", features: 10) }
    }
    #expect(unpooled.contains("a linear layer reads [N, C], not f32[1,32,32,3]"))
  }

  @Test(arguments: [
    (3, "two tensors are named conv.weight"), (8, "input \"conv.weight\" is declared as"),
  ])
  func refusesOneNameForTwoLayers(channels: Int, expected: String) {
    let twice = message {
      _ = try Model(named: "twins", imageShape: cifar, classes: 10) {
        Conv2d("conv", channels: 3, kernel: 3)
        Conv2d("conv", channels: channels, kernel: 3)
        GlobalAvgPool()
        Linear("linear", features: 10)
      }
    }
    #expect(twice.contains(expected))
  }
}
