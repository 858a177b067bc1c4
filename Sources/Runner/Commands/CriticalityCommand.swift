import Adversarial
import ArgumentParser
import Datasets
import IR
import Models
import Storage

extension FeatureTap: ExpressibleByArgument {}
extension Criticality.Normalization: ExpressibleByArgument {}
extension Criticality.FirstLayer: ExpressibleByArgument {}

/// `clat criticality`: which layers an attack moves most.
struct CriticalityCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "criticality", abstract: "Rank the layers by how far an attack moves them.",
    discussion: """
      Weakness is the mean distance between a layer's features of attacked and clean images, \
      divided by their number of elements; criticality is that over the weakness of the layer \
      before. The first --batch images of the training split are attacked once, with PGD on the \
      network's output.

      EXAMPLES
        clat criticality --model resnet18 --weights runs/mine --data cifar-10-batches-bin
        clat criticality --model resnet20 --weights resnet20.safetensors --data digits \\
          --batch 256 --top 3 --json
        clat criticality --model wrn-10-1 --weights runs/mine --data digits --unit block
      """)

  @OptionGroup var images: ImageOptions

  @Option(help: "train or test.")
  var split = Split.train

  @Option(help: "Images to measure on.")
  var batch = 128

  @Option(help: "Layers to select; the model's default unless given.")
  var top: Int?

  @OptionGroup var layers: LayerOptions

  @Option(help: "Radius of the attack.")
  var eps = Attack.paper.eps

  @Option(help: "Length of one step of the attack.")
  var step = Attack.paper.step

  @Option(help: "Steps of the attack.")
  var steps = Attack.paper.steps

  @Option(help: "The feature of a layer: activation, convolution or block.")
  var tap = FeatureTap.activation

  @Option(help: "What distances are divided by: 1/N, 1/sqrt(N), none or relative.")
  var normalization = Criticality.Normalization.size

  @Option(help: "Criticality of layer 0: paper (its weakness), exclude, or input.")
  var firstLayer = Criticality.FirstLayer.paper

  @Flag(help: "Print JSON: {layers: [{index, name, weakness, criticality}], selected, ...}.")
  var json = false

  func run() throws {
    try ImageOptions.check(batch: batch)
    guard (1...100_000).contains(steps) else {
      throw Failure.usage("--steps \(steps): expected 1...100000")
    }
    let all = try images.load(split: split)
    let dataset = try all.subset(min(batch, all.count))
    let session = try images.session(for: dataset, layers: layers)
    let model = session.model
    let count = top ?? model.defaultCriticalCount
    guard (1...model.units.count).contains(count) else {
      throw Failure.usage("--top \(count): \(model.name) has 1...\(model.units.count) layers")
    }
    let attack = Attack(eps: eps, step: step, steps: steps)
    let options = Criticality.Options(
      attack: attack, tap: tap, normalization: normalization, firstLayer: firstLayer)
    let result = try Criticality.compute(
      session, dataset, options, batchSize: min(128, dataset.count), seed: images.seed)
    let selected = Array(result.ranking.prefix(count))
    if json {
      try Output.json(describe(result, selected, model, dataset, attack))
    } else {
      try Output.write(text(result, selected, model, dataset, attack))
    }
  }

  private func describe(
    _ result: Criticality, _ selected: [Int], _ model: Model, _ dataset: Dataset, _ attack: Attack
  ) -> JSON {
    [
      "model": .string(model.name), "data": .string(dataset.name),
      "split": .string(split.rawValue), "count": .int(dataset.count),
      "layers": .array(
        result.layers.map { layer in
          [
            "index": .int(layer.index), "name": .string(layer.name),
            "weakness": .double(layer.weakness),
            "criticality": layer.criticality.map(JSON.double) ?? .null,
          ]
        }),
      "selected": .array(selected.map(JSON.int)),
      "attack": [
        "name": "pgd", "norm": "linf", "eps": .double(attack.eps.value),
        "step": .double(attack.step.value), "steps": .int(attack.steps), "start": "random",
        "seed": .int(Int(truncatingIfNeeded: images.seed)),
      ],
      "unit": .string(model.layerSet.unit.rawValue),
      "include_shortcuts": .bool(model.layerSet.includesShortcuts),
      "include_linear": .bool(model.layerSet.includesLinear),
      "candidates": .array(model.layerSet.names.map(JSON.string)),
      "tap": .string(tap.rawValue), "normalization": .string(normalization.rawValue),
      "first_layer": .string(firstLayer.rawValue),
    ]
  }

  private func text(
    _ result: Criticality, _ selected: [Int], _ model: Model, _ dataset: Dataset, _ attack: Attack
  ) -> String {
    var table = Table("layer", "name", "weakness", "criticality", "")
    for layer in result.layers {
      table.add(
        "\(layer.index)", layer.name, layer.weakness.scientific,
        layer.criticality.map { $0.fixed(4) } ?? "none", selected.contains(layer.index) ? "*" : "")
    }
    let list = selected.map { model.units[$0].label }.joined(separator: ", ")
    return table.text
      + "critical: \(list)\n\(dataset.count) images of \(dataset.name) \(split.rawValue), "
      + "pgd linf eps \(attack.eps), step \(attack.step), \(attack.steps) steps\n"
  }
}
