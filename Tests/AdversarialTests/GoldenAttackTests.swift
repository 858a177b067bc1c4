import Adversarial
import IR
import Models
import TestSupport
import Testing

/// Attacks, criticality and training steps against PyTorch in double precision.
@Suite struct GoldenAttackTests {
  struct Case: CustomTestStringConvertible {
    var engine: TestEngine
    var name: String
    /// Attack steps.
    var steps: [Int]
    var testDescription: String { "\(engine) \(name)" }
  }

  static let cases =
    ["small-cnn", "resnet18-8", "wrn-16-1"].flatMap { name in
      [
        Case(engine: .compiled, name: name, steps: [1, 2, 10]),
        Case(engine: .eager, name: name, steps: [1, 10]),
      ]
    } + [Case(engine: .interpreter, name: "small-cnn", steps: [1, 10])]

  private func attack(_ steps: Int) -> Attack {
    Attack(eps: Golden.eps, step: Golden.step, steps: steps, start: .given)
  }

  @Test(arguments: cases) func pgd(_ test: Case) throws {
    let golden = try Golden("attack-\(test.name)")
    var inputs = golden.attackInputs()
    let losses = try golden.floats("pgd.loss")
    for steps in test.steps {
      let graph = try AttackGraph.build(golden.model, batch: golden.batch, attack(steps))
      let result = try test.engine.run(graph, inputs)
      expectClose(
        result["x_adv"], try golden.images("pgd.adversarial.\(steps)"), absolute: 1e-6,
        "x_adv after \(steps)")
      inputs["x_adv"] = result["x_adv"]
      let evaluation = try EvaluationGraph.build(
        golden.model, batch: golden.batch, images: "x_adv")
      expectClose(
        try test.engine.run(evaluation, inputs)["loss"], [losses[steps]], relative: 1e-5,
        "loss after \(steps)")
    }
  }

  @Test(arguments: cases) func innerMaximisation(_ test: Case) throws {
    let golden = try Golden("attack-\(test.name)")
    let inputs = golden.attackInputs()
    for steps in test.steps where steps != 2 {
      let graph = try AttackGraph.build(
        golden.model, batch: golden.batch, attack(steps),
        .features(layers: golden.selected(), tap: .activation))
      expectClose(
        try test.engine.run(graph, inputs)["x_adv"],
        try golden.images("clat.adversarial.\(steps)"), absolute: 1e-6, "x_adv after \(steps)")
    }
  }

  @Test(arguments: cases) func criticality(_ test: Case) throws {
    let golden = try Golden("attack-\(test.name)")
    var inputs = golden.attackInputs()
    inputs["x_adv"] = try golden.images("pgd.adversarial.10")
    let graph = try CriticalityGraph.build(golden.model, batch: golden.batch, norms: true)
    let result = try test.engine.run(graph, inputs)
    let distance = try golden.floats("criticality.distance")
    for layer in golden.model.layers.indices {
      expectClose(
        result["distance.\(layer)"],
        Array(distance[layer * golden.batch..<(layer + 1) * golden.batch]), relative: 1e-5,
        "distance of layer \(layer)")
    }
    let sizes = try CriticalityGraph.sizes(golden.model)
    #expect(sizes.map(Double.init) == (try golden.floats("criticality.sizes")))
  }

  @Test(arguments: cases, [false, true]) func clatStep(_ test: Case, detach: Bool) throws {
    let golden = try Golden("attack-\(test.name)")
    var inputs = golden.attackInputs()
    inputs["x_adv"] = try golden.images("clat.adversarial.10")
    inputs["lambda"] = try golden.floats("clat.lambda")
    inputs["lr"] = [0.5]
    let layers = try golden.selected()
    let options = ClatGraph.Options(detachClean: detach)
    // Without momentum and weight decay the new momentum is the gradient.
    let graph = try ClatGraph.build(
      golden.model, batch: golden.batch, layers: layers, options,
      SGDOptions(momentum: 0, weightDecay: 0))
    let request = try ClatGraph.request(golden.model, layers: layers, options)
    let result = try test.engine.run(graph, inputs, request)
    expectClose(result["ce"], try golden.floats("clat.cross_entropy"), relative: 1e-5, "ce")
    expectClose(result["feature"], try golden.floats("clat.feature_loss"), relative: 1e-5, "L_C")
    let prefix = detach ? "clat.gradient_detached" : "clat.gradient"
    for layer in layers {
      let name = golden.model.layers[layer].weight
      let gradient = try golden.floats("\(prefix).\(name)")
      expectClose(result["optimizer.\(name)"], gradient, relative: 1e-4, "gradient of \(name)")
      expectClose(
        result[name], zip(inputs[name]!, gradient).map { $0 - 0.5 * $1 }, relative: 1e-4, name)
    }
    let trained = Set(result.keys).subtracting(["ce", "feature", "correct"])
    let expected = try ClatGraph.trainable(golden.model, layers: layers)
    #expect(trained == expected.union(expected.map(SGDOptions.stateName)))
  }

  @Test(arguments: cases) func sgdStep(_ test: Case) throws {
    let golden = try Golden("attack-\(test.name)")
    var inputs = golden.attackInputs()
    inputs["x_adv"] = try golden.images("pgd.adversarial.10")
    inputs["lr"] = [0.1]
    let graph = try TrainingGraph.build(golden.model, batch: golden.batch, images: "x_adv")
    let result = try test.engine.run(graph, inputs)
    expectClose(result["loss"], try golden.floats("sgd.loss"), relative: 1e-5, "loss")
    for name in golden.file.names where name.hasPrefix("sgd.updated.") {
      let parameter = String(name.dropFirst("sgd.updated.".count))
      if ["l2", "projection"].contains(parameter) { continue }
      expectClose(result[parameter], try golden.floats(name), relative: 1e-5, parameter)
    }
    for name in golden.file.names where name.contains("running") {
      let buffer = String(name.dropFirst("sgd.".count))
      expectClose(result[buffer], try golden.floats(name), relative: 1e-5, buffer)
    }
    try expectDigest(golden, "sgd.updated", result) { $0 }
    try expectDigest(golden, "sgd.momentum", result, SGDOptions.stateName)
  }
}

/// Compares norm and projection of every parameter's tensor, and of a batch of images, with the
/// golden's.
///
/// Gradients that vanish but for rounding, such as those of biases before a batch norm, have to
/// vanish beside the largest.
func expectDigest(
  _ golden: Golden, _ prefix: String, _ result: [String: [Double]], images: String? = nil,
  _ outputName: (String) -> String
) throws {
  let norms = try golden.floats("\(prefix).l2")
  let projections = try golden.floats("\(prefix).projection")
  let outputs = try golden.file.names("parameters").map(outputName) + (images.map { [$0] } ?? [])
  #expect(outputs.count == norms.count && norms.count == projections.count)
  for (index, name) in outputs.enumerated() {
    let values = try #require(result[name], "no output \(name)")
    let limit = 1e-4 * norms[index] + 1e-6 * (norms.max() ?? 0)
    let norm = values.reduce(0) { $0 + $1 * $1 }.squareRoot()
    expectClose([norm], [norms[index]], absolute: limit, "norm of \(name), \(prefix)")
    expectClose(
      [golden.projection(values, index, isImages: name == images)], [projections[index]],
      absolute: limit, "projection of \(name), \(prefix)")
  }
}

extension Golden {
  static let eps = Epsilon(text: "8/255")!
  static let step = Epsilon(text: "2/255")!

  /// Indices in `Model.layers` of the selected layers.
  fileprivate func selected() throws -> [Int] {
    try file.names("selected").map { name in model.layers.firstIndex { $0.name == name }! }
  }

  /// All inputs, with the attack's start.
  fileprivate func attackInputs() -> [String: [Double]] {
    var inputs = inputs()
    inputs["start"] = zip(inputs["x"]!, inputs["t"]!).map { x, t in
      Double(Float(min(max(x + Golden.eps.value * t, 0), 1)))
    }
    return inputs
  }
}
