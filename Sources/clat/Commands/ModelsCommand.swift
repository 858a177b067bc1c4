import ArgumentParser
import Foundation
import Models
import Storage

/// `clat models`: the registry.
struct ModelsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "models", abstract: "List the networks that --model knows.",
    discussion: """
      Parameters and floating-point operations (a multiply-add counts as two) are those of one \
      image of 32x32x3 and 10 classes. LAYERS counts the convolutions of the main path, CRITICAL \
      how many of them CLAT trains unless told otherwise.

      EXAMPLES
        clat models
        clat models --json
      """)

  @Flag(help: "Print JSON: a list of {name, parameters, flops, layers, critical}.")
  var json = false

  func run() throws {
    let models = try Model.names.map {
      try Model(ModelSpec($0), imageShape: (32, 32, 3), classes: 10)
    }
    if json { return try Output.json(.array(models.map(Self.describe))) }
    var table = Table("name", "parameters", "GFLOP", "layers", "critical")
    for model in models {
      table.add(
        model.name, "\(model.parameterCount)", (model.flops() / 1e9).fixed(3),
        "\(model.layers.count)", "\(model.defaultCriticalCount)")
    }
    try Output.write(table.text)
  }

  private static func describe(_ model: Model) -> JSON {
    [
      "name": .string(model.name), "parameters": .int(model.parameterCount),
      "flops": .double(model.flops()), "layers": .int(model.layers.count),
      "critical": .int(model.defaultCriticalCount),
    ]
  }
}
