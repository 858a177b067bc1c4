import Adversarial
import ArgumentParser
import Models

extension LayerSet.Unit: ExpressibleByArgument {}

/// Names separated by commas.
struct NameList: ExpressibleByArgument {
  var values: [String]

  init?(argument: String) {
    values = argument.split(separator: ",").map(String.init)
    if values.isEmpty { return nil }
  }
}

/// What counts as a layer that CLAT ranks and selects.
struct LayerOptions: ParsableArguments {
  @Option(help: "What is ranked: layer, or block for whole blocks.")
  var unit = LayerSet.Unit.layer

  @Flag(help: "Rank convolutions of shortcuts, too.")
  var includeShortcuts = false

  @Flag(help: "Rank linear layers, too.")
  var includeLinear = false

  @Option(help: "Rank these layers and blocks instead, names separated by commas.")
  var candidates: NameList?

  /// The network with these units.
  func count(in model: Model) throws -> Model {
    let set = LayerSet(
      unit: unit, includesShortcuts: includeShortcuts, includesLinear: includeLinear,
      names: candidates?.values ?? [])
    guard candidates == nil || set == LayerSet(names: set.names) else {
      throw Failure.usage(
        "--candidates stands instead of --unit, --include-shortcuts and --include-linear")
    }
    return try Failure.blaming(.usage, candidates == nil ? "--unit" : "--candidates") {
      try model.counting(set)
    }
  }
}
