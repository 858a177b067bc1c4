import Foundation
import IR

extension Compiler {
  /// The program of a graph: from the cache, or compiled now, and then kept for later processes if
  /// that took long enough.
  ///
  /// The key is everything that the program depends on: the graph's text, the request, the
  /// instruction set, what executes fused regions, and this very executable.
  ///
  /// - Parameters:
  ///   - cache: nil for none.
  ///   - minimumNodes: of a graph that is looked for in the cache.
  /// - Throws: IRError naming the pass and node at fault.
  public static func program(
    _ graph: Graph, _ request: CompileRequest = CompileRequest(), options: Options = Options(),
    instructionSet: InstructionSet = .best, cache: DiskCache? = .standard,
    minimumNodes: Int = worthwhileNodes
  ) throws -> (program: Program, seconds: Double) {
    guard let cache, graph.nodes.count >= minimumNodes else {
      let result = try compile(graph, request, options: options)
      return (result.program, result.totalSeconds)
    }
    let start = ContinuousClock.now
    var seconds: Double { (ContinuousClock.now - start) / .seconds(1) }
    let key = key(graph, request, instructionSet)
    if let program = read(key, cache, threads: options.threads) { return (program, seconds) }
    let program = try compile(graph, request, options: options).program
    let file = try ProgramFile([(program.name, program)], instructionSet: instructionSet)
    let about = "\(program.name), \(program.instructions.count) calls, \(instructionSet)"
    cache.write(.program, key, about: about, file.data)
    return (file.programs[0].program, seconds)
  }

  /// Nodes of the smallest graph that is kept. Reading is ten times as fast as compiling, but
  /// below this the difference is a few milliseconds.
  public static let worthwhileNodes = 50

  private static func read(_ key: String, _ cache: DiskCache, threads: Int) -> Program? {
    guard let data = cache.read(.program, key) else { return nil }
    do {
      return try ProgramFile(data, threads: threads).programs.first?.program
    } catch {
      cache.onProblem("ignoring a program in \(cache.folder.path): \(error)")
      return nil
    }
  }

  private static func key(
    _ graph: Graph, _ request: CompileRequest, _ set: InstructionSet
  ) -> String {
    let names = [request.taps, request.freeze.sorted(), request.masks.sorted()]
    let text = Array(
      "\(graph.text)\(names) \(request.freezesBatchNorms) \(request.convolution)".utf8)
    return [
      ProgramFile.engineVersion, ProgramFile.interface, executable, "\(set)",
      FusedBackend.explanation, Checksum.hex(text),
      Checksum.hex(Checksum.value(text, seed: 0x9e37_79b9_7f4a_7c15)),
    ].joined(separator: " ")
  }

  /// The size and time of this executable: another build may compile otherwise.
  private static let executable: String = {
    var status = stat()
    guard stat("/proc/self/exe", &status) == 0 else { return "unknown" }
    return "\(status.st_size)-\(status.st_mtim.tv_sec)-\(status.st_mtim.tv_nsec)"
  }()
}
