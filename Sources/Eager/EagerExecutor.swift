import Engine
import IR

/// Executes a graph operation by operation, as a define-by-run framework does: fresh memory for
/// every result, no fusion, no folding, filters prepared on every call, and gradients by a tape.
///
/// The kernels are those of the compiled engine, so that the difference between the two is what
/// compiling brings. It takes graphs as recipes build them, with their gradient requests.
public final class EagerExecutor {
  public let graph: Graph
  private let store: TensorStore
  private let runner: NodeRunner
  private let stages: [Stage]
  private var outputs: [String: Tensor] = [:]

  /// - Parameters:
  ///   - request: taps and frozen parameters; freezing means that no gradient is asked for.
  ///   - store: holds, or is given, every input of the graph.
  public init(
    _ graph: Graph, _ request: CompileRequest = CompileRequest(), store: TensorStore,
    threads: Int = Team.availableThreads, instructionSet: InstructionSet = .best
  ) throws {
    let manager = PassManager(stopAfter: "applyFreeze")
    self.graph = try manager.run(graph, Pipeline.passes(request)).graph
    self.store = store
    runner = NodeRunner(
      threads: threads, instructionSet: instructionSet, convolution: request.convolution)
    stages = self.graph.nodeStages
  }

  /// Runs the graph once and writes updated parameters back to the store.
  public func run() throws {
    var values: [ValueID: Tensor] = [:]
    for input in graph.inputs where input.role != .carried {
      values[input.value] = try store.tensor(input.name, graph.type(input.value))
    }
    let tape = try Tape(graph, known: values, runner: runner)
    try record(on: tape) { $0 < .step }
    if let loop = graph.loop { try tape.add(known: try run(loop, tape.values)) }
    try record(on: tape) { $0 > .step }
    for output in graph.outputs { outputs[output.name] = tape.values[output.value] }
    try writeUpdates()
  }

  /// What the last step of a loop leaves to what follows it. Every step has a tape of its own, of which
  /// only the carried values live on.
  private func run(_ loop: Loop, _ before: [ValueID: Tensor]) throws -> [ValueID: Tensor] {
    let after = zip(graph.nodes, stages).filter { $1 > .step }.flatMap { node, _ in node.operands }
    let needed = Set(after + graph.outputs.map(\.value)).subtracting(before.keys)
    var carried = loop.carries.map { ($0.input, before[$0.initial]!) }
    var left: [ValueID: Tensor] = [:]
    for step in 0..<loop.steps {
      let tape = try Tape(graph, known: before.merging(carried) { $1 }, runner: runner)
      try record(on: tape) { $0 == .step }
      carried = loop.carries.map { ($0.input, tape.values[$0.next]!) }
      if step == loop.steps - 1 { left = tape.values.filter { needed.contains($0.key) } }
    }
    return left
  }

  private func record(on tape: Tape, where isWanted: (Stage) -> Bool) throws {
    for (node, stage) in zip(graph.nodes, stages) where isWanted(stage) { try tape.record(node) }
  }

  private func writeUpdates() throws {
    for output in graph.outputs {
      guard let input = graph.inputs.first(where: { $0.value == output.updates }),
        let tensor = outputs[output.name]
      else { continue }
      try store.tensor(input.name, tensor.type).pointer.copyMemory(
        from: tensor.pointer, byteCount: tensor.type.byteCount)
    }
    if graph.outputs.contains(where: { $0.updates != nil }) { store.weightsChanged() }
  }

  /// An output of the last run.
  ///
  /// - Throws: IRError where there is no such output or nothing has run.
  public func output(_ name: String) throws -> Tensor {
    guard let tensor = outputs[name] else { throw IRError("no output '\(name)' has been computed") }
    return tensor
  }

  /// An f32 output as an array.
  public func floats(_ name: String) throws -> [Float] { Array(try output(name).floats) }

  /// An i32 output as an array.
  public func integers(_ name: String) throws -> [Int32] { Array(try output(name).integers) }
}
