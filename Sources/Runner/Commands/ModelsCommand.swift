import ArgumentParser
import Foundation
import Models
import Storage

/// `clat models`: the registry.
struct ModelsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "models", abstract: "List the networks that --model knows.",
    discussion: """
      Every network with the images (HEIGHTxWIDTHxCHANNELS) and classes that it was published for, \
      its trainable parameters for these, the floating-point operations of one image's forward \
      pass (a multiply-add counts as two), the convolutions of its main path (LAYERS, which CLAT \
      numbers from 0), how many of them CLAT trains unless told otherwise (K), and its settings \
      with their defaults: --model resnet18:width=16.

      --clat prints Table 9 of the CLAT paper, the trainable parameters during CLAT, beside our \
      count: the weights of the layers that the paper says it trained.

      EXAMPLES
        clat models
        clat models resnet18:width=16 wrn-16-4
        clat models --clat
        clat models --json
      """)

  @Argument(help: "NAME[:setting=value,...]; all names that clat knows unless given.")
  var models: [String] = []

  @Flag(help: "Print the CLAT paper's Table 9 beside our count.")
  var clat = false

  @Flag(help: "Print JSON: a list with one object a row.")
  var json = false

  func run() throws {
    if clat {
      guard models.isEmpty else { throw Failure.usage("--clat goes without names of models") }
      return try printSelections()
    }
    let models = try (models.isEmpty ? Model.names : models).map { try Model(ModelSpec($0)) }
    if json { return try Output.json(.array(models.map(Self.describe))) }
    var table = Table("name", "images", "classes", "parameters", "GFLOP", "layers", "k", "settings")
    for model in models {
      table.add(
        model.name, Self.extent(model), "\(model.classes)", "\(model.parameterCount)",
        (model.flops() / 1e9).fixed(3), "\(model.layers.count)", "\(model.defaultCriticalCount)",
        model.settings.map { "\($0.name)=\($0.value)" }.joined(separator: ","))
    }
    try Output.write(table.text)
  }

  private static func extent(_ model: Model) -> String {
    "\(model.imageShape.height)x\(model.imageShape.width)x\(model.imageShape.channels)"
  }

  private static func describe(_ model: Model) -> JSON {
    [
      "name": .string(model.name), "image": .string(extent(model)), "classes": .int(model.classes),
      "parameters": .int(model.parameterCount), "flops": .double(model.flops()),
      "layers": .int(model.layers.count), "critical": .int(model.defaultCriticalCount),
      "settings": .object(model.settings.map { ($0.name, .string($0.value)) }),
    ]
  }
}

extension ModelsCommand {
  private func printSelections() throws {
    let rows = try PublishedSelection.table9.map { ($0, try $0.model()) }
    if json { return try Output.json(.array(rows.map(Self.describe))) }
    var table = Table(
      "network", "classes", "parameters", "paper", "layers trained", "from", "weights", "share",
      "paper", "share", "remark")
    for (row, model) in rows {
      table.add(
        row.network, "\(row.classes)", "\(model.parameterCount)", row.total,
        row.layers.map(String.init).joined(separator: ","), row.source,
        "\(row.trainedCount(of: model))", Self.share(row, model), row.trained, row.share,
        row.remark)
    }
    try Output.write(table.text)
  }

  private static func share(_ row: PublishedSelection, _ model: Model) -> String {
    (100 * Double(row.trainedCount(of: model)) / Double(model.parameterCount)).fixed(1) + "%"
  }

  private static func describe(_ row: PublishedSelection, _ model: Model) -> JSON {
    [
      "network": .string(row.network), "classes": .int(row.classes),
      "parameters": .int(model.parameterCount), "paper_parameters": .string(row.total),
      "layers": .array(row.layers.map { .int($0) }), "source": .string(row.source),
      "names": .array(row.layers.map { .string(model.layers[$0].name) }),
      "trained": .int(row.trainedCount(of: model)), "paper_trained": .string(row.trained),
      "paper_share": .string(row.share), "remark": .string(row.remark),
    ]
  }
}
