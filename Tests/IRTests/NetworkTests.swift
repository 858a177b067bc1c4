import Adversarial
import IR
import Models
import TestSupport
import Testing

/// Real graphs through the whole pipeline, pass by pass.
@Suite struct NetworkTests {
  /// What is built on a network, and with which request it is compiled.
  enum Recipe: String, CaseIterable, Sendable {
    case evaluation, attack, featureAttack, training, maskedTraining, clat, criticality

    func build(_ model: Model, batch: Int) throws -> (Graph, CompileRequest) {
      let attack = Attack(eps: 0.03, step: 0.007, steps: 3)
      let layers = [1, model.layers.count - 2]
      switch self {
      case .evaluation:
        let taps = [model.layers[0].name]
        return (try EvaluationGraph.build(model, batch: batch), CompileRequest(taps: taps))
      case .attack:
        return (try AttackGraph.build(model, batch: batch, attack), CompileRequest())
      case .featureAttack:
        let objective = AttackObjective.features(layers: layers)
        return (try AttackGraph.build(model, batch: batch, attack, objective), CompileRequest())
      case .training: return (try TrainingGraph.build(model, batch: batch), CompileRequest())
      case .maskedTraining:
        let request = CompileRequest(
          freeze: [model.layers[0].weight], masks: [model.layers[1].weight])
        return (try TrainingGraph.build(model, batch: batch), request)
      case .clat:
        let request = try ClatGraph.request(model, layers: layers)
        return (try ClatGraph.build(model, batch: batch, layers: layers), request)
      case .criticality:
        return (try CriticalityGraph.build(model, batch: batch, norms: true), CompileRequest())
      }
    }
  }

  static let small = [
    "small-cnn:width=4", "resnet20:width=4", "resnet20:width=4,shortcut=B",
    "preact-resnet18:width=2",
  ]

  /// After every pass: verified, round-tripped, and the interpreter computes what it computed
  /// before.
  @Test(arguments: small, Recipe.allCases)
  func passesKeepTheMeaning(_ name: String, _ recipe: Recipe) throws {
    let model = try Model(
      ModelSpec(name), imageShape: (height: 8, width: 8, channels: 3), classes: 3)
    let (graph, request) = try recipe.build(model, batch: 2)
    var inputs = model.initialValues(seed: 1).mapValues { $0.map(Double.init) }
    for (name, values) in graph.randomInputs() where inputs[name] == nil { inputs[name] = values }
    let result = try runChecked(graph, Pipeline.passes(request), inputs: inputs)
    #expect(!result.outputs.isEmpty)
    #expect(result.values.allSatisfy { $0.stage != nil })
  }

  static let large = ["resnet18", "wrn-34-10", "densenet121", "vgg19"]

  /// The networks at full size: verified and round-tripped after every pass.
  @Test(arguments: large, [Recipe.attack, .training, .clat])
  func fullSizeRoundTrips(_ name: String, _ recipe: Recipe) throws {
    let model = try Model(
      ModelSpec(name), imageShape: (height: 32, width: 32, channels: 3), classes: 10)
    let (graph, request) = try recipe.build(model, batch: 128)
    let result = try runChecked(graph, Pipeline.passes(request), semantics: false)
    #expect(!result.nodes.contains { $0.op == "gradient" || $0.op == "relu_grad" })
  }

  /// The gradient of a whole network in training mode against central differences along random
  /// directions.
  @Test(arguments: ["resnet20:width=4", "preact-resnet18:width=2"])
  func wholeNetworkGradient(_ name: String) throws {
    let model = try Model(
      ModelSpec(name), imageShape: (height: 8, width: 8, channels: 3), classes: 3)
    let builder = GraphBuilder(name: "gradient")
    let emitter = ForwardEmitter(builder: builder, model: model, mode: .train)
    let images = try builder.input("x", .f32(3, 8, 8, 3), .data)
    let labels = try builder.input("labels", .i32(3), .data)
    let entropy = try builder.emitOne("cross_entropy", [emitter(images).logits, labels])
    let loss = try builder.emitOne("mean", [entropy])
    builder.output("loss", loss)
    let forward = try Interpreter(builder.graph)
    let targets = [model.layers[0].weight, model.layers[5].weight, "x"]
    let values = targets.compactMap { builder.graph.input(named: $0)?.value }
    let gradients = try builder.gradients(of: loss, withRespectTo: values)
    for (target, gradient) in zip(targets, gradients) { builder.output("d.\(target)", gradient) }

    var inputs = model.initialValues(seed: 2).mapValues { $0.map(Double.init) }
    inputs.merge(builder.graph.randomInputs(integerBound: 3)) { a, _ in a }
    let analytic = try Interpreter(builder.graph).run(inputs: inputs)
    for (target, value) in zip(targets, values) {
      let direction = randomValues(builder.type(value), seed: 77)
      func loss(_ step: Double) throws -> Double {
        var moved = inputs
        moved[target] = zip(inputs[target] ?? [], direction).map { $0 + step * $1 }
        return try #require(forward.run(inputs: moved)["loss"])[0]
      }
      let step = 1e-7
      let numeric = try (loss(step) - loss(-step)) / (2 * step)
      let gradient = try #require(analytic["d.\(target)"])
      let expected = zip(gradient, direction).reduce(0) { $0 + $1.0 * $1.1 }
      let norm = gradient.reduce(0) { $0 + $1 * $1 }.squareRoot()
      #expect(
        norm > 0 && abs(numeric - expected) <= 1e-5 * norm, "\(target): \(numeric), \(expected)")
    }
  }
}
