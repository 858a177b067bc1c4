import Datasets
import Engine
import Foundation
import IR
import Models
import Storage

extension Trainer {
  /// Selects the critical layers of the coming period, sets lambda, clears the momentum of layers
  /// that were not trained before if the recipe says so, and hashes what must not change.
  func selectLayers() throws {
    let images = try criticalityImages()
    let rule = recipe.clat.selection.rule
    let criticality =
      rule == .largest || rule == .smallest ? try criticality(of: images) : nil
    let selected = try recipe.clat.selection.select(
      model, criticality, seed: recipe.seed, draw: state.epoch)
    let before = try trainedParameters()
    if selected != state.selected { dropPrograms(except: selected) }
    state.selected = selected
    state.lambda = try lambda(images)
    if recipe.clat.resetsMomentum { try clearMomentum(trainedParameters().subtracting(before)) }
    state.frozenHash = try frozenHash()
    try recordSelection(criticality)
  }

  /// The first images of the epoch's order, without augmentation.
  private func criticalityImages() throws -> Dataset {
    let order = try BatchPlan.shuffled(
      count: data.train.count, batchSize: 1, seed: recipe.seed, epoch: state.epoch
    ).order
    let count = min(recipe.clat.criticalityBatch, data.train.count)
    return try data.train.subset(indices: order.prefix(count).map { Int($0) })
  }

  private func criticality(of images: Dataset) throws -> Criticality {
    let options = Criticality.Options(
      attack: recipe.attack, tap: recipe.clat.tap, normalization: recipe.clat.normalization,
      firstLayer: recipe.clat.firstLayer)
    return try Criticality.compute(
      session, images, options, batchSize: batchSize(images), seed: recipe.seed, draw: state.epoch)
  }

  /// Small enough not to ask for more memory than training does.
  private func batchSize(_ images: Dataset) -> Int {
    min(images.count, recipe.optimizer.batchSize)
  }

  /// The recipe's lambda, or CE / L_C on the given images under the inner attack.
  private func lambda(_ images: Dataset) throws -> Double {
    if case .value(let value) = recipe.clat.lambda { return value }
    let size = batchSize(images)
    let plan = try BatchPlan.sequential(count: images.count, batchSize: size)
    let assembler = try BatchAssembler(
      dataset: images, plan: plan, seed: recipe.seed, epoch: state.epoch)
    let stream = RandomStream(seed: recipe.seed, epoch: state.epoch, purpose: .criticality)
    var (entropy, feature) = (0.0, 0.0)
    for index in 0..<plan.batchCount {
      let batch = try assembler.batch(index)
      try session.load(batch)
      try attackForClat(batch.count, stream)
      let program = try session.program(
        .clatTerms(layers: state.selected, recipe.clatGraphOptions), batch: batch.count)
      program.run()
      entropy += Double(batch.count) * Double(try program.floats("ce")[0])
      feature += Double(batch.count) * Double(try program.floats("feature")[0])
    }
    let lambda = entropy / feature
    guard lambda.isFinite else {
      throw IRError("lambda auto: CE / L_C is \(entropy) / \(feature); set clat.lambda")
    }
    return lambda
  }

  private func trainedParameters() throws -> Set<String> {
    try ClatGraph.trainable(model, layers: state.selected, recipe.clatGraphOptions)
  }

  /// Of all that no step may change.
  private func frozenHash() throws -> String {
    try session.contentHash(
      except: ClatGraph.changing(model, layers: state.selected, recipe.clatGraphOptions))
  }

  private func clearMomentum(_ parameters: Set<String>) throws {
    for parameter in model.parameters where parameters.contains(parameter.name) {
      let type = TensorType(.f32, parameter.shape)
      try session.store.tensor(SGDOptions.stateName(parameter.name), type).floats
        .update(repeating: 0)
    }
  }

  private func dropPrograms(except selected: [Int]) {
    session.drop { key in
      switch key {
      case .clat(let layers, _, _, _), .clatTerms(let layers, _),
        .attack(_, .features(let layers, _)):
        layers != selected
      case .training: true
      default: false
      }
    }
  }

  private func recordSelection(_ criticality: Criticality?) throws {
    let record = SelectionRecord(
      epoch: state.epoch, selected: state.selected,
      names: state.selected.map { model.units[$0].name }, lambda: state.lambda,
      layers: (criticality?.layers ?? []).map {
        SelectionRecord.Layer(
          index: $0.index, name: $0.name, weakness: $0.weakness, criticality: $0.criticality)
      })
    let epoch = state.epoch
    state.selections.removeAll { $0.epoch >= epoch }
    state.selections.append(record)
    if let directory {
      try AtomicFile.write(state.selectionsData(), to: directory.path + "/selections.json")
      let layers = record.selected.map { model.units[$0].label }
      try directory.log(
        "epoch \(record.epoch): critical \(layers.joined(separator: ", ")); "
          + "lambda \(record.lambda)")
    }
    onEvent(.selected(record))
  }

  /// - Throws: IRError where a frozen tensor has changed since the selection.
  func checkFrozen() throws {
    guard try frozenHash() == state.frozenHash else {
      throw IRError(
        "frozen tensors changed between the selection and the end of epoch \(state.epoch)")
    }
  }
}
