/// What is to be compiled besides the graph itself; printed in the IR's header.
public struct CompileRequest: Sendable, Hashable {
  /// Names of features that become outputs `features.<name>`.
  public var taps: [String]
  /// Parameters that must not change, by name. Their gradients are not computed.
  public var freeze: Set<String>
  /// Whether a batch norm whose gamma is frozen runs in evaluation mode. Otherwise it runs as the
  /// graph has it; in training mode its running statistics go on changing.
  public var freezesBatchNorms: Bool
  /// Parameters whose gradient is multiplied element by element by the input `mask.<name>`.
  public var masks: Set<String>
  /// How convolutions are computed.
  public var convolution: ConvolutionPolicy

  public init(
    taps: [String] = [], freeze: Set<String> = [], masks: Set<String> = [],
    freezesBatchNorms: Bool = true, convolution: ConvolutionPolicy = .auto
  ) {
    self.taps = taps
    self.freeze = freeze
    self.freezesBatchNorms = freezesBatchNorms
    self.masks = masks
    self.convolution = convolution
  }
}

/// A named, pure change of a graph.
public struct Pass: Sendable {
  public var name: String
  /// What the graph must satisfy afterwards.
  public var level: Verifier.Level
  public var run: @Sendable (Graph) throws -> Graph

  public init(
    _ name: String, level: Verifier.Level, _ run: @escaping @Sendable (Graph) throws -> Graph
  ) {
    self.name = name
    self.level = level
    self.run = run
  }
}

/// Runs passes in order, with the means to look at what each of them does.
public struct PassManager: Sendable {
  /// Verify the graph after every pass.
  public var verifyEach: Bool
  /// Names of passes after which the graph is handed to `onPrint`.
  public var printAfter: Set<String>
  /// Stop after this pass.
  public var stopAfter: String?

  public init(verifyEach: Bool = true, printAfter: Set<String> = [], stopAfter: String? = nil) {
    self.verifyEach = verifyEach
    self.printAfter = printAfter
    self.stopAfter = stopAfter
  }

  /// The graph after the passes, and the seconds each took.
  ///
  /// - Throws: IRError naming the pass that failed, or an unknown name in the options.
  public func run(
    _ graph: Graph, _ passes: [Pass], onPrint: (String, Graph) -> Void = { _, _ in }
  ) throws -> (graph: Graph, seconds: [(pass: String, seconds: Double)]) {
    for name in printAfter.union(stopAfter.map { [$0] } ?? []) {
      guard passes.contains(where: { $0.name == name }) else {
        throw IRError(
          "no pass is named '\(name)'; passes: \(passes.map(\.name).joined(separator: ", "))")
      }
    }
    var graph = graph
    var seconds: [(pass: String, seconds: Double)] = []
    let clock = ContinuousClock()
    for pass in passes {
      let duration = try clock.measure {
        do {
          graph = try pass.run(graph)
          if verifyEach { try Verifier.verify(graph, level: pass.level) }
        } catch let error as IRError {
          throw IRError("pass \(pass.name): \(error.message)")
        }
      }
      seconds.append((pass.name, duration / .seconds(1)))
      if printAfter.contains(pass.name) { onPrint(pass.name, graph) }
      if stopAfter == pass.name { break }
    }
    return (graph, seconds)
  }
}
