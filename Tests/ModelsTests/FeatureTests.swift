import IR
import Testing

@testable import Models

/// What counts as the feature of a layer, told by the operations that lead from one to the other.
@Suite struct FeatureTests {
  /// The operations on the way from a convolution to its activation, following first operands back.
  private func path(_ graph: Graph, _ feature: LayerFeature) -> [String] {
    var (ops, value) = ([String](), feature.activation)
    while value != feature.convolution, let index = graph.definitions[value.index] {
      ops.append(graph.nodes[index].op)
      value = graph.nodes[index].operands[0]
    }
    return ops.reversed()
  }

  private func activations(_ name: String) throws -> (graph: Graph, features: [LayerFeature]) {
    let (graph, forward) = try emitted(makeModel(name), .eval)
    return (graph, forward.features)
  }

  @Test(arguments: ["resnet18:width=4", "resnet20", "resnet20:shortcut=B"])
  func postActivation(name: String) throws {
    let (graph, features) = try activations(name)
    for feature in features {
      let endsBlock = feature.layer > 0 && feature.layer % 2 == 0
      let expected = ["batch_norm"] + (endsBlock ? ["add"] : []) + ["relu"]
      #expect(path(graph, feature) == expected, "layer \(feature.layer)")
      #expect(graph.maker(feature.convolution) == "conv2d")
    }
    for (first, last) in zip(features[1...], features[2...]) where last.layer % 2 == 0 {
      #expect(first.block == last.activation && last.block == last.activation)
    }
    #expect(features[0].block == features[0].activation)
  }

  @Test(arguments: ["wrn-16-1", "wrn-16-2"])
  func preActivation(name: String) throws {
    let (graph, features) = try activations(name)
    for feature in features {
      let endsBlock = feature.layer > 0 && feature.layer % 2 == 0
      let expected = (endsBlock ? ["add"] : []) + ["batch_norm", "relu"]
      #expect(path(graph, feature) == expected, "layer \(feature.layer)")
    }
    for (first, last) in zip(features[1...], features[2...]) where last.layer % 2 == 0 {
      #expect(graph.maker(first.block) == "add" && first.block == last.block)
    }
  }

  /// Where a block keeps its channels, the sum reads the raw input; else the shortcut's convolution
  /// reads the activated one.
  @Test func preActivationShortcuts() throws {
    let (graph, features) = try activations("wrn-16-2")
    for (first, last) in zip(features[1...], features[2...]) where last.layer % 2 == 0 {
      let sum = graph.nodes[try #require(graph.definitions[last.block.index])]
      let activated = features[first.layer - 1].activation
      if (first.layer - 1) % 4 == 0 {
        let projection = graph.nodes[try #require(graph.definitions[sum.operands[1].index])]
        #expect(projection.op == "conv2d" && projection.operands[0] == activated)
      } else {
        #expect(sum.operands[1] == features[first.layer - 1].block)
        #expect(sum.operands[1] != activated)
      }
    }
  }

  @Test func vggBeforePool() throws {
    let (graph, features) = try activations("vgg16:width=4")
    for feature in features {
      #expect(path(graph, feature) == ["batch_norm", "relu"])
      #expect(graph.maker(feature.convolution) == "bias_add")
      #expect(feature.block == feature.activation)
    }
  }

  @Test func preActResNetEndsWithTheSum() throws {
    let (graph, features) = try activations("preact-resnet18:width=4")
    #expect(path(graph, features[2]) == ["add", "batch_norm", "relu"])
    #expect(path(graph, try #require(features.last)) == ["add"])
  }

  @Test func parametersAreSharedAndStatisticsThreaded() throws {
    let model = try makeModel("small-cnn")
    let builder = GraphBuilder(name: "twice")
    let emitter = ForwardEmitter(builder: builder, model: model, mode: .train)
    let clean = try emitter(builder.input("clean", .f32(2, 32, 32, 3), .data))
    let other = try emitter(builder.input("other", .f32(2, 32, 32, 3), .data))
    emitter.outputBufferUpdates()
    let graph = builder.graph
    #expect(graph.inputs.count == model.parameters.count + 2)
    #expect(graph.taps.map(\.value) == clean.features.map(\.activation))
    #expect(other.features[0].convolution != clean.features[0].convolution)
    let norms = graph.nodes.filter { $0.op == "batch_norm" }
    let updates = graph.outputs.map { ($0.name, $0.value, $0.updates) }
    #expect(updates.count == 6 && norms.count == 6)
    for layer in 0..<3 {
      #expect(Array(norms[3 + layer].operands[3...4]) == Array(norms[layer].results[3...4]))
      #expect(Array(norms[3 + layer].operands[1...2]) == Array(norms[layer].operands[1...2]))
      let (name, value, updated) = updates[2 * layer]
      #expect(name == "bn\(layer + 1).running_mean" && value == norms[3 + layer].results[3])
      #expect(updated == graph.input(named: name)?.value)
    }
  }

  @Test func evaluationChangesNoStatistics() throws {
    let builder = GraphBuilder(name: "eval")
    let emitter = try ForwardEmitter(builder: builder, model: makeModel("small-cnn"), mode: .eval)
    _ = try emitter(builder.input("images", .f32(1, 32, 32, 3), .data))
    emitter.outputBufferUpdates()
    #expect(builder.graph.outputs.isEmpty)
  }

  @Test func refusesOtherImages() throws {
    let builder = GraphBuilder(name: "wrong")
    let emitter = try ForwardEmitter(builder: builder, model: makeModel("small-cnn"), mode: .eval)
    let images = try builder.input("images", .f32(4, 28, 28, 1), .data)
    #expect(
      message { _ = try emitter(images) }
        == "small-cnn: images must be f32[N,32,32,3], are f32[4,28,28,1]")
  }
}
