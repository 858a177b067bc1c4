import Datasets
import Foundation
import IR
import Models
import Storage
import Testing

@testable import Adversarial

/// CLAT's options through the trainer, on 64 digits and a network with blocks and shortcuts.
@Suite struct ClatOptionsTests {
  static let recipe = """
    seed: 5
    model: {name: wrn-10-1}
    data: {source: digits, limit: 64}
    base: {method: none}
    clat: {epochs: 1, criticality_batch: 32}
    attack: {eps: 0.1, step: 0.05, steps: 2}
    optimizer: {batch_size: 32, lr: 0.05}
    evaluation: {count: 8, steps: 1, every: 0}
    """

  private func trainer(
    _ overrides: [String], directory: RunDirectory? = nil
  ) throws -> Trainer {
    let recipe = try Recipe.parse(Self.recipe, overrides: overrides)
    return try Trainer(recipe, data: TrainingData.load(recipe.data), directory: directory)
  }

  /// Runs and tells which tensors have other bits than at the last selection.
  private func changed(_ trainer: Trainer) throws -> Set<String> {
    var before: [StoredTensor] = []
    trainer.onEvent = { event in
      if case .selected = event { before = (try? trainer.session.storedTensors()) ?? [] }
    }
    #expect(try trainer.run() == .finished)
    let after = try trainer.session.storedTensors()
    try #require(before.count == after.count)
    return Set(zip(before, after).filter { $0.0 != $0.1 }.map { $0.1.name })
  }

  private func fixed(_ layers: String, _ more: [String]) -> [String] {
    ["clat.selection=fixed", "clat.layers=[\(layers)]"] + more
  }

  static let block = ["conv1", "conv2", "convShortcut"].map { "block2.layer.0.\($0).weight" }
  static let blockNorms = ["bn1", "bn2"].flatMap { norm in
    ["weight", "bias"].map { "block2.layer.0.\(norm).\($0)" }
  }

  @Test(arguments: [
    ("block2.layer.0.convShortcut", ["clat.include_shortcuts=true"], [block[2]]),
    ("fc", ["clat.include_linear=true"], ["fc.weight", "fc.bias"]),
    ("block2.layer.0", ["clat.unit=block"], block),
    ("block2.layer.0", ["clat.unit=block", "clat.batchnorm_affine=true"], block + blockNorms),
    (
      "1, fc", ["clat.candidates=[fc, block2.layer.0]", "clat.tap=convolution"],
      ["fc.weight", "fc.bias"]
    ),
    ("2", ["clat.unit=block", "clat.tap=block", "clat.fast=true"], block),
    (
      "block1.layer.0.conv1", ["clat.batchnorm_affine=true"],
      [
        "block1.layer.0.conv1.weight", "block1.layer.0.bn2.weight", "block1.layer.0.bn2.bias",
      ]
    ),
  ])
  func onlySelectedUnitsTrain(_ layers: String, _ options: [String], _ expected: [String]) throws {
    #expect(try changed(trainer(fixed(layers, options))) == Set(expected))
  }

  @Test(arguments: ["activation", "convolution", "block"], ["layer", "block"])
  func criticalityRanksAllCandidates(tap: String, unit: String) throws {
    let trainer = try trainer([
      "clat.include_shortcuts=true", "clat.include_linear=true", "clat.unit=\(unit)",
      "clat.tap=\(tap)", "clat.k=2",
    ])
    let changed = try changed(trainer)
    let selection = try #require(trainer.selections.first)
    let blocks = (1...3).map { "block\($0).layer.0" }
    let layers = blocks.flatMap { block in
      ["conv1", "conv2"].map { "\(block).\($0)" }
        + (block == blocks[0] ? [] : ["\(block).convShortcut"])
    }
    #expect(
      selection.layers.map(\.name) == ["conv1"] + (unit == "block" ? blocks : layers) + ["fc"])
    #expect(selection.layers.map(\.index) == Array(selection.layers.indices))
    for layer in selection.layers {
      #expect(layer.weakness > 0 && layer.weakness.isFinite && layer.criticality != nil)
    }
    #expect(selection.selected.count == 2)
    #expect(
      try changed == ClatGraph.trainable(trainer.model, layers: selection.selected))
  }

  @Test func namedCandidatesAreTheOnlyOnes() throws {
    let trainer = try trainer(["clat.candidates=[fc, block3.layer.0, conv1]", "clat.k=3"])
    let weights = ["conv1", "conv2", "convShortcut"].map { "block3.layer.0.\($0).weight" }
    #expect(try changed(trainer) == Set(weights + ["conv1.weight", "fc.weight", "fc.bias"]))
    #expect(
      trainer.selections.first?.layers.map(\.name) == ["conv1", "block3.layer.0", "fc"])
    #expect(
      message { _ = try self.trainer(["clat.candidates=[block4.layer.0]"]) }
        == "clat.candidates: 'block4.layer.0' is no layer or block of wrn-10-1; "
        + "did you mean 'block1.layer.0'?")
    #expect(
      message { _ = try self.trainer(fixed("fc", [])) }
        == "'fc' is not among the candidates of wrn-10-1: 0...6 or a name of them")
    #expect(
      message { _ = try self.trainer(fixed("block1.layer.0.conv3", [])) }
        .hasSuffix("did you mean 'block1.layer.0.conv1'?"))
    #expect(
      message { _ = try self.trainer(["clat.candidates=[conv1, fc]", "clat.k=3"]) }
        .contains("has 1...2"))
  }

  /// With batch norms in training mode running statistics change, and nothing else that is frozen.
  @Test(arguments: ["clean", "both", "base"])
  func trainingModeUpdatesStatisticsAlone(input: String) throws {
    let options = [
      "clat.batch_norm=train", "clat.ce=\(input)", "base.method=pgd-at", "base.epochs=0",
      "clat.epochs=2", "clat.period=1",
    ]
    let trainer = try trainer(fixed("block1.layer.0.conv1", options))
    let statistics = trainer.model.parameters.filter { !$0.isTrainable }.map(\.name)
    #expect(statistics.count == 14)
    #expect(
      try changed(trainer) == Set(statistics + ["block1.layer.0.conv1.weight"]))
    let broken = try self.trainer(fixed("block1.layer.0.conv1", options))
    broken.onEvent = { event in
      if case .selected = event { broken.session.store["bn1.weight"]?.floats[0] += 1 }
    }
    #expect(message { _ = try broken.run() }.contains("frozen tensors changed"))
  }

  @Test func innerAttackFollowsTheUpdatesMode() throws {
    func attack(_ options: [String]) throws -> Attack { try trainer(options).innerAttack }
    #expect(try attack(["attack.batch_norm=train"]).batchNorm == .eval)
    #expect(try attack(["attack.batch_norm=train", "clat.batch_norm=train"]).batchNorm == .train)
    #expect(try attack(["attack.random_start=false"]).start == .random)
    let fast = try attack(["clat.fast=true"])
    #expect(fast.steps == 1 && fast.step.value == 0.125 && fast.eps.value == 0.1)
  }

  /// `base` after PGD-AT: the images are those of the base method's attack, drawn as it draws them.
  @Test func baseLossIsThatOfTheBaseAttack() throws {
    let options = ["base.method=pgd-at", "base.epochs=0", "clat.ce=base", "optimizer.lr=0"]
    let trainer = try trainer(fixed("conv1", options))
    var failure: (any Error)?
    var steps = 0
    trainer.onEvent = { event in
      guard case .stepDone = event else { return }
      steps += 1
      do {
        let session = trainer.session
        let base = Array(try session.images("x_base", 32).floats)
        #expect(base != Array(try session.images("x_adv", 32).floats))
        try session.attack(
          trainer.recipe.attack, batch: 32,
          stream: RandomStream(seed: 5, epoch: 0, purpose: .attackStart))
        #expect(base == Array(try session.images("x_adv", 32).floats))
      } catch { failure = error }
    }
    #expect(try trainer.run() == .finished)
    if let failure { throw failure }
    #expect(steps == 2)
  }

  @Test func everyCrossEntropyTrainsDifferently() throws {
    func weights(_ input: String, _ method: String) throws -> [StoredTensor] {
      let options = ["clat.ce=\(input)", "base.method=\(method)", "base.epochs=0"]
      let trainer = try trainer(fixed("conv1", options + ["clat.lambda=0.1"]))
      #expect(try changed(trainer) == ["conv1.weight"])
      return try trainer.session.storedTensors()
    }
    let all = try ["clean", "adversarial", "both", "base"].map { try weights($0, "pgd-at") }
    for (index, one) in all.enumerated() {
      for other in all[..<index] { #expect(one != other) }
    }
    #expect(try weights("base", "standard") == all[0])
  }

  @Test func newlySelectedLayersStartWithoutMomentumUnlessToldOtherwise() throws {
    func momentum(_ more: [String]) throws -> [Bool] {
      let options = ["base.method=standard", "base.epochs=1", "clat.epochs=2", "clat.period=1"]
      let trainer = try trainer(fixed("conv1", options + more))
      var hasMomentum: [Bool] = []
      trainer.onEvent = { event in
        guard case .selected = event else { return }
        let state = trainer.session.store[SGDOptions.stateName("conv1.weight")]
        hasMomentum.append(state?.floats.contains { $0 != 0 } ?? false)
      }
      #expect(try trainer.run() == .finished)
      return hasMomentum
    }
    #expect(try momentum([]) == [false, true])
    #expect(try momentum(["clat.reset_momentum=false"]) == [true, true])
  }

  @Test func lambdaIsExplicitOrBalances() throws {
    let given = try trainer(["clat.lambda=0.25"])
    _ = try given.run()
    #expect(given.selections.map(\.lambda) == [0.25])
    // Nothing moves, so that the first epoch has the ratio that the selection has measured.
    let still = ["optimizer.lr=0", "data.augmentation=none", "clat.criticality_batch=64"]
    let balanced = try trainer(still)
    var ratio = 0.0
    balanced.onEvent = {
      if case .epochFinished(let report) = $0 { ratio = report.metrics.featureRatio }
    }
    _ = try balanced.run()
    #expect(abs(ratio - 1) < 0.05, "\(ratio)")
  }

  @Test func ratioOfTheTermsIsLogged() throws {
    let path = NSTemporaryDirectory() + "clat-ratio-" + UUID().uuidString
    defer { try? FileManager.default.removeItem(atPath: path) }
    let directory = try RunDirectory.create(at: path, recipe: Self.recipe)
    _ = try trainer(["clat.lambda=2"], directory: directory).run()
    let line = try Data(contentsOf: URL(fileURLWithPath: path + "/metrics.jsonl"))
    let record = try #require(try JSONSerialization.jsonObject(with: line) as? [String: Any])
    func number(_ key: String) throws -> Double { try #require(record[key] as? Double, "\(key)") }
    #expect(try number("lambda") == 2)
    let expected = try 2 * number("feature") / number("ce")
    #expect(abs(try number("feature_ratio") / expected - 1) < 1e-9)
    let log = try String(contentsOfFile: path + "/selections.json", encoding: .utf8)
    #expect(log.contains("block1.layer.0.conv1"))
  }
}
