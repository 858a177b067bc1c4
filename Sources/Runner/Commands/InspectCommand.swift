import ArgumentParser
import Engine
import IR
import Models

/// `clat inspect`: what the compiler makes of a program.
struct InspectCommand: ParsableCommand {
  enum View: String, CaseIterable, ExpressibleByArgument {
    case network, graph, program, memory, llvm, dot
  }

  static let configuration = CommandConfiguration(
    commandName: "inspect", abstract: "Show what the compiler makes of a program.",
    discussion: """
      network  the network alone in IR text, as --model takes it from a file
      graph    the graph in IR text, after all passes or after --stop-after
      program  the static schedule: every kernel call with operands, slices and barriers
      memory   every buffer of the arena with its offset and lifetime
      llvm     the code of the program's fused regions, before LLVM's own passes
      dot      the graph for Graphviz

      Programs: \(ProgramName.list). The passes, in order: \
      \(Pipeline.passes(CompileRequest()).map(\.name).joined(separator: ", ")).

      EXAMPLES
        clat inspect graph --model resnet18 --program clat --critical 11,layer2.0.conv1
        clat inspect graph --model resnet18 --program clat --unit block --critical layer3.1
        clat inspect graph --model small-cnn --stop-after differentiate --program train
        clat inspect memory --model resnet18 --batch 128 --program attack
        clat inspect network --model resnet18:width=8 > net.ir
        clat inspect program --model net.ir --program train
        clat inspect program --model graph.ir
        clat inspect llvm --model graph.ir
        clat inspect dot --model small-cnn | dot -Tsvg > graph.svg
      """)

  @Argument(help: "network, graph, program, memory, llvm or dot.")
  var view: View

  @OptionGroup var network: StandaloneModelOptions
  @OptionGroup var threading: ThreadOptions

  @Option(
    help: ArgumentHelp("One of \(ProgramName.list); forward, or a file's graph, unless given."))
  var program: ProgramName?

  @Option(help: "The layers that CLAT trains, by number or name; the last ones unless given.")
  var critical: NameList?

  @Option(help: "Also print the graph after this pass; may be repeated.")
  var printAfter: [String] = []

  @Option(help: "Show the graph as it is after this pass.")
  var stopAfter: String?

  @Flag(help: "Show the seconds of every pass on standard error.")
  var timing = false

  func run() throws {
    let passes = Pipeline.passes(CompileRequest()).map(\.name)
    for name in printAfter + (stopAfter.map { [$0] } ?? []) where !passes.contains(name) {
      throw Failure.usage("no pass is named '\(name)'; passes: \(passes.joined(separator: ", "))")
    }
    if view == .network { return try Output.write(network.make().graph().graph.text) }
    var (graph, request) = try source()
    request.convolution = network.algorithm.convolution
    switch view {
    case .network: break
    case .graph: try Output.write(try optimized(graph, request).text)
    case .dot: try Output.write(Dot(graph: try optimized(graph, request)).text)
    case .program: try Output.write(try compiled(graph, request).text)
    case .memory: try Output.write(try compiled(graph, request).memoryText)
    case .llvm:
      let program = try compiled(graph, request)
      try Output.write(Failure.blaming(.missingInput, "LLVM") { try program.llvmText() })
    }
  }

  /// The named program of the network; without a name, of a file the graph itself.
  private func source() throws -> (Graph, CompileRequest) {
    if program == nil, network.model.hasSuffix(".ir") {
      return (try NetworkFile.graph(network.model), CompileRequest())
    }
    return try (program ?? .forward).graph(
      network.make(), batch: network.batch, critical: critical?.values)
  }

  private func optimized(_ graph: Graph, _ request: CompileRequest) throws -> Graph {
    let manager = PassManager(printAfter: Set(printAfter), stopAfter: stopAfter)
    let (result, seconds) = try manager.run(graph, Pipeline.passes(request)) { pass, graph in
      try? Output.write("// after \(pass)\n\(graph.text)")
    }
    reportTimes(seconds)
    return result
  }

  private func compiled(_ graph: Graph, _ request: CompileRequest) throws -> Program {
    guard stopAfter == nil else {
      throw Failure.usage("--stop-after goes with graph and dot, not with \(view.rawValue)")
    }
    let options = Compiler.Options(
      threads: try threading.resolve(), passes: PassManager(printAfter: Set(printAfter)))
    let result = try Compiler.compile(graph, request, options: options) { pass, graph in
      try? Output.write("// after \(pass)\n\(graph.text)")
    }
    reportTimes(result.seconds)
    return result.program
  }

  private func reportTimes(_ seconds: [(pass: String, seconds: Double)]) {
    guard timing else { return }
    let list = seconds.map { "\($0.pass) \($0.seconds.duration)" }.joined(separator: ", ")
    Output.note("clat: \(list)")
  }
}
