import Engine
import IR
import Models

/// All that a compiled program depends on besides the model.
public enum ProgramKey: Sendable, Hashable {
  case evaluation(images: String = "x")
  case attack(Attack, AttackObjective)
  case training(SGDOptions, images: String)
  /// A whole step with its attack, or the update alone.
  case clat(layers: [Int], ClatGraph.Options, SGDOptions, attack: Attack? = nil)
  /// The terms of CLAT's objective alone; nothing is trained.
  case clatTerms(layers: [Int], ClatGraph.Options)
  case criticality(FeatureTap, norms: Bool)

  /// The graph for a batch size, with its inputs under their plain names.
  public func graph(_ model: Model, batch: Int) throws -> Graph {
    switch self {
    case .evaluation(let images):
      try EvaluationGraph.build(model, batch: batch, images: images)
    case .attack(let attack, let objective):
      try AttackGraph.build(model, batch: batch, attack, objective)
    case .training(let optimizer, let images):
      try TrainingGraph.build(model, batch: batch, optimizer, images: images)
    case .clat(let layers, let options, let optimizer, let attack):
      try ClatGraph.build(
        model, batch: batch, layers: layers, options, optimizer, attack: attack)
    case .clatTerms(let layers, let options):
      try ClatGraph.terms(model, batch: batch, layers: layers, options)
    case .criticality(let tap, let norms):
      try CriticalityGraph.build(model, batch: batch, tap: tap, norms: norms)
    }
  }

  /// The program for a batch size, as a `ModelSession` runs it: its inputs that depend on the batch
  /// size carry it in their names. From the cache where it is there.
  ///
  /// - Throws: IRError where the network is too small for what is asked.
  public func compile(
    _ model: Model, batch: Int, threads: Int, convolution: ConvolutionPolicy = .auto,
    cache: DiskCache? = .standard
  ) throws -> (program: Program, seconds: Double) {
    var graph = try graph(model, batch: batch)
    for index in graph.inputs.indices where Self.batched.contains(graph.inputs[index].name) {
      graph.inputs[index].name = ModelSession.name(graph.inputs[index].name, batch)
    }
    var request = try request(model)
    request.convolution = convolution
    return try Compiler.program(
      graph, request, options: Compiler.Options(threads: threads), cache: cache)
  }

  private static let batched: Set<String> = ["x", "x_adv", "x_base", "start", "labels", "ids"]

  /// What is frozen.
  public func request(_ model: Model) throws -> CompileRequest {
    switch self {
    case .clat(let layers, let options, _, _):
      try ClatGraph.request(model, layers: layers, options)
    default: CompileRequest()
    }
  }
}
