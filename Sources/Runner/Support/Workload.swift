import Adversarial
import ArgumentParser
import Engine
import IR
import Models

/// One of the programs that training and evaluation consist of.
enum ProgramName: String, CaseIterable, ExpressibleByArgument {
  case forward, attack, train, clat, criticality
  /// The two halves of `clat`, its inner maximisation and its weight update, as programs.
  case clatAttack = "clat-attack"
  case clatUpdate = "clat-update"

  static let list = allCases.map(\.rawValue).joined(separator: ", ")

  /// The program's graph as the recipe builds it, and what to compile it with.
  ///
  /// - Parameter critical: the layers that CLAT trains; the last ones unless given.
  func graph(
    _ model: Model, batch: Int, critical: [String]?, images: String = "x",
    attack: Attack = .paper
  ) throws -> (Graph, CompileRequest) {
    let layers = try ProgramName.critical(model, critical)
    switch self {
    case .forward:
      return (try EvaluationGraph.build(model, batch: batch, images: images), CompileRequest())
    case .attack:
      return (try AttackGraph.build(model, batch: batch, attack), CompileRequest())
    case .train:
      return (try TrainingGraph.build(model, batch: batch, images: images), CompileRequest())
    case .clat, .clatUpdate:
      return (
        try ClatGraph.build(
          model, batch: batch, layers: layers, attack: self == .clat ? attack : nil),
        try ClatGraph.request(model, layers: layers)
      )
    case .criticality:
      return (try CriticalityGraph.build(model, batch: batch), CompileRequest())
    case .clatAttack:
      return (
        try AttackGraph.build(model, batch: batch, attack, .features(layers: layers)),
        CompileRequest()
      )
    }
  }

  /// The given layers after a check, or the model's last ones.
  static func critical(_ model: Model, _ given: [String]?) throws -> [Int] {
    guard let given else {
      return Array(model.units.indices.suffix(model.defaultCriticalCount))
    }
    return try Failure.blaming(.usage, "--critical") {
      try LayerSelection(rule: .fixed, layers: given).select(model, nil, seed: 0, draw: 0)
    }
  }
}
