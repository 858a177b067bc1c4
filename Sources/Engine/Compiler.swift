import IR

/// From a graph to a static program.
public enum Compiler {
  public struct Options: Sendable {
    public var threads: Int
    public var passes: PassManager
    /// The most images that a thread takes through a section at once, where images do not see each
    /// other.
    public var microBatch: Int

    public init(
      threads: Int = Team.availableThreads, passes: PassManager = PassManager(),
      microBatch: Int = Program.microBatch
    ) {
      self.threads = threads
      self.passes = passes
      self.microBatch = microBatch
    }
  }

  /// A compiled graph, with what the compiler did.
  public struct Result {
    /// The graph after all passes.
    public var graph: Graph
    public var program: Program
    /// Seconds by pass; the last entry is the lowering to a program.
    public var seconds: [(pass: String, seconds: Double)]

    public var totalSeconds: Double { seconds.reduce(0) { $0 + $1.seconds } }
  }

  /// Compiles a graph.
  ///
  /// - Parameters:
  ///   - graph: as built from a network and a recipe; may hold gradient requests.
  ///   - request: taps, frozen parameters, element masks.
  ///   - onPrint: receives the graph after each pass named in `options.passes.printAfter`.
  /// - Throws: IRError naming the pass and node at fault.
  public static func compile(
    _ graph: Graph, _ request: CompileRequest = CompileRequest(), options: Options = Options(),
    onPrint: (String, Graph) -> Void = { _, _ in }
  ) throws -> Result {
    guard options.threads > 0, options.microBatch > 0 else {
      throw IRError("a program needs at least one thread and image")
    }
    var (compiled, seconds) = try options.passes.run(
      graph, Pipeline.passes(request), onPrint: onPrint)
    try Verifier.verify(compiled, level: .selected(executableOperations))
    var program: Program?
    let duration = try ContinuousClock().measure {
      program = try ProgramBuilder.program(
        compiled, threads: options.threads, microBatch: options.microBatch)
    }
    seconds.append(("lower", duration / .seconds(1)))
    return Result(graph: compiled, program: program!, seconds: seconds)
  }
}
