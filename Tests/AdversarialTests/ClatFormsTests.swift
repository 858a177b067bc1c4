import IR
import Models
import TestSupport
import Testing

@testable import Adversarial

/// The graphs of CLAT's options on all engines: units of every kind, every input of the cross
/// entropy, both modes of batch norm.
@Suite struct ClatFormsTests {
  struct Form: Sendable, CustomTestStringConvertible {
    var model = "wrn-10-1"
    var set: LayerSet
    /// Names of the critical units.
    var critical: [String]
    var options = ClatGraph.Options()
    var testDescription: String { "\(model) \(set) \(critical) \(options)" }
  }

  static let everyLayer = LayerSet(includesShortcuts: true, includesLinear: true)
  static let blocks = LayerSet(unit: .block, includesLinear: true)

  static let forms = [
    Form(set: everyLayer, critical: ["block2.layer.0.convShortcut", "fc"]),
    Form(
      model: "resnet20:width=4,shortcut=B", set: everyLayer,
      critical: ["layer2.0.shortcut.0", "layer3.2.conv2"],
      options: .init(crossEntropy: .adversarial, tap: .convolution)),
    Form(
      set: blocks, critical: ["block2.layer.0"],
      options: .init(crossEntropy: .base, tap: .block, trainsBatchNormAffine: true)),
    Form(
      model: "resnet20:width=4,shortcut=B", set: blocks, critical: ["layer1.0", "layer3.0"],
      options: .init(tap: .activation, trainsBatchNormAffine: true, batchNorm: .train)),
    Form(
      set: LayerSet(names: ["block3.layer.0", "conv1"]), critical: ["conv1"],
      options: .init(crossEntropy: .both, tap: .convolution, detachClean: true, batchNorm: .train)),
    Form(
      set: blocks, critical: ["block3.layer.0", "fc"],
      options: .init(crossEntropy: .base, tap: .block, batchNorm: .train)),
  ]

  private func prepare(_ form: Form) throws -> (model: Model, layers: [Int]) {
    let model = try Model(ModelSpec(form.model), imageShape: (8, 8, 1), classes: 10)
      .counting(form.set)
    return (model, try form.critical.map { try LayerSelection.index(of: $0, in: model) })
  }

  private func inputs(_ model: Model, _ graph: Graph) -> [String: [Double]] {
    let values = model.initialValues(seed: 4).mapValues { $0.map(Double.init) }
    var inputs = graph.randomInputs(seed: 1, integerBound: 10).merging(values) { _, new in new }
    for name in ["x", "x_adv", "x_base"] { inputs[name] = inputs[name]?.map { ($0 + 1) / 2 } }
    inputs["lr"] = [0.1]
    inputs["lambda"] = [0.3]
    return inputs
  }

  /// Images near the given ones.
  private func start(_ x: [Double]?) -> [Double]? {
    x?.enumerated().map { min(1, max(0, $1 + ($0 % 3 == 0 ? 0.05 : -0.03))) }
  }

  @Test(arguments: forms) func stepsAgree(_ form: Form) throws {
    let (model, layers) = try prepare(form)
    let graph = try ClatGraph.build(model, batch: 4, layers: layers, form.options)
    let request = try ClatGraph.request(model, layers: layers, form.options)
    let inputs = inputs(model, graph)
    let expected = try TestEngine.interpreter.run(graph, inputs, request)
    for engine in [TestEngine.compiled, .eager] {
      let result = try engine.run(graph, inputs, request)
      #expect(Set(result.keys) == Set(expected.keys))
      for (name, values) in expected {
        expectClose(result[name], values, relative: 1e-4, absolute: 1e-6, "\(engine) \(name)")
      }
    }
    let changed = expected.filter { name, values in inputs[name] != nil && values != inputs[name]! }
    let parameters = Set(model.parameters.map(\.name))
    #expect(
      Set(changed.keys).intersection(parameters)
        == (try ClatGraph.changing(model, layers: layers, form.options)))
    let terms = try ClatGraph.terms(model, batch: 4, layers: layers, form.options)
    let alone = try TestEngine.compiled.run(terms, inputs)
    #expect(!terms.outputs.contains { $0.updates != nil })
    for name in ["ce", "feature"] {
      expectClose(alone[name], expected[name] ?? [], relative: 1e-5, name)
    }
  }

  /// The program of a step does what the attack and then the update do, bit for bit.
  @Test(arguments: forms, TestEngine.allCases)
  func wholeStepsAreAttackAndUpdate(_ form: Form, _ engine: TestEngine) throws {
    let (model, layers) = try prepare(form)
    let attack = Attack(
      eps: 0.1, step: 0.05, steps: 3, start: .given, batchNorm: form.options.batchNorm)
    let request = try ClatGraph.request(model, layers: layers, form.options)
    let whole = try ClatGraph.build(
      model, batch: 4, layers: layers, form.options, attack: attack)
    var inputs = inputs(model, whole)
    inputs["start"] = start(inputs["x"])
    let result = try engine.run(whole, inputs, request)
    let maximize = try AttackGraph.build(
      model, batch: 4, attack, .features(layers: layers, tap: form.options.tap))
    inputs["x_adv"] = try engine.run(maximize, inputs)["x_adv"]
    let update = try ClatGraph.build(model, batch: 4, layers: layers, form.options)
    var expected = try engine.run(update, inputs, request)
    expected["x_adv"] = inputs["x_adv"]
    #expect(Set(result.keys) == Set(expected.keys))
    for (name, values) in expected { #expect(result[name] == values, "\(engine) \(name)") }
  }

  @Test func modesOfBatchNormMustFit() throws {
    let (model, layers) = try prepare(Self.forms[0])
    let attack = Attack(eps: 0.1, step: 0.05, steps: 3, batchNorm: .train)
    let error = #expect(throws: IRError.self) {
      try ClatGraph.build(model, batch: 4, layers: layers, attack: attack)
    }
    #expect(error?.message.contains("batch statistics") == true)
  }

  @Test(arguments: forms) func attacksAndDistancesAgree(_ form: Form) throws {
    let (model, layers) = try prepare(form)
    let attack = Attack(
      eps: 0.1, step: 0.05, steps: 3, start: .given, batchNorm: form.options.batchNorm)
    let graphs = [
      try AttackGraph.build(
        model, batch: 4, attack, .features(layers: layers, tap: form.options.tap)),
      try CriticalityGraph.build(model, batch: 4, tap: form.options.tap, norms: true),
    ]
    for graph in graphs {
      var inputs = inputs(model, graph)
      inputs["start"] = start(inputs["x"])
      let expected = try TestEngine.eager.run(graph, inputs)
      let result = try TestEngine.compiled.run(graph, inputs)
      #expect(Set(result.keys) == Set(expected.keys))
      for (name, values) in expected {
        expectClose(result[name], values, relative: 1e-4, absolute: 1e-6, name)
      }
    }
    #expect(graphs[1].outputs.count == 2 * (model.units.count + 1))
    #expect(
      try CriticalityGraph.sizes(model, tap: form.options.tap).count == model.units.count)
  }

  /// The cross entropy of `base` is that of `x_base`, whatever the other images are.
  @Test func baseCrossEntropyReadsItsOwnImages() throws {
    let (model, layers) = try prepare(Self.forms[0])
    func entropy(_ input: ClatGraph.CrossEntropyInput, _ change: (inout [String: [Double]]) -> Void)
      throws -> [Double]
    {
      let graph = try ClatGraph.terms(
        model, batch: 4, layers: layers, .init(crossEntropy: input))
      var inputs = inputs(model, graph)
      change(&inputs)
      return try TestEngine.compiled.run(graph, inputs)["ce"] ?? []
    }
    let clean = try entropy(.clean) { _ in }
    #expect(try entropy(.base) { $0["x_base"] = $0["x"] } == clean)
    #expect(try entropy(.base) { $0["x_base"] = $0["x_adv"] } == entropy(.adversarial) { _ in })
    #expect(try entropy(.base) { $0["x"] = $0["x_adv"] } == entropy(.base) { _ in })
    #expect(try entropy(.base) { _ in } != clean)
  }

  @Test func headersNameTheLayers() throws {
    let (model, layers) = try prepare(Self.forms[2])
    let text = try ClatGraph.build(model, batch: 4, layers: layers, Self.forms[2].options).text
    #expect(text.contains("layers = \"2 block2.layer.0\"") && text.contains("mode = \"eval\""))
  }
}
