import Eager
import Engine
import IR
import Testing

/// The three ways to execute a graph.
enum TestEngine: String, CaseIterable {
  case compiled, eager, interpreter

  /// The outputs by name; parameters that an output updates are outputs too.
  func run(
    _ graph: Graph, _ inputs: [String: [Double]], _ request: CompileRequest = CompileRequest(),
    threads: Int = 2
  ) throws -> [String: [Double]] {
    switch self {
    case .interpreter:
      let differentiated = try PassManager(stopAfter: "differentiate")
        .run(graph, Pipeline.passes(request)).graph
      return try Interpreter(differentiated).run(inputs: inputs)
    case .compiled:
      let result = try Compiler.compile(graph, request, options: .init(threads: threads))
      let executable = try Executable(result.program, store: store(graph, inputs))
      executable.run()
      return try outputs(result.program.outputs.map(\.name)) { name in
        let (type, bytes) = try executable.output(name)
        return type.dtype == .i32
          ? bytes.bindMemory(to: Int32.self).map(Double.init)
          : bytes.bindMemory(to: Float.self).map(Double.init)
      }
    case .eager:
      let executor = try EagerExecutor(
        graph, request, store: store(graph, inputs), threads: threads)
      try executor.run()
      return try outputs(executor.graph.outputs.map(\.name)) { name in
        let tensor = try executor.output(name)
        return tensor.type.dtype == .i32
          ? tensor.integers.map(Double.init) : tensor.floats.map(Double.init)
      }
    }
  }

  private func outputs(
    _ names: [String], _ read: (String) throws -> [Double]
  ) rethrows -> [String: [Double]] {
    var values: [String: [Double]] = [:]
    for name in names { values[name] = try read(name) }
    return values
  }

  private func store(_ graph: Graph, _ inputs: [String: [Double]]) throws -> TensorStore {
    let store = TensorStore()
    for input in graph.inputs where input.role != .carried {
      let tensor = try store.tensor(input.name, graph.type(input.value))
      let values = try #require(inputs[input.name], "no value for input \(input.name)")
      #expect(values.count == tensor.type.count, "input \(input.name)")
      if tensor.type.dtype == .i32 {
        _ = tensor.integers.update(from: values.map { Int32($0) })
      } else {
        _ = tensor.floats.update(from: values.map(Float.init))
      }
    }
    return store
  }
}

/// Compares relative to the largest expected magnitude.
func expectClose(
  _ actual: [Double]?, _ expected: [Double], relative: Double = 0, absolute: Double = 0,
  _ what: String, sourceLocation: SourceLocation = #_sourceLocation
) {
  guard let actual, actual.count == expected.count else {
    Issue.record(
      "\(what): \(actual?.count ?? 0) values, expected \(expected.count)",
      sourceLocation: sourceLocation)
    return
  }
  let limit = absolute + relative * (expected.map(abs).max() ?? 0)
  var worst = (error: 0.0, index: 0)
  for (index, (a, b)) in zip(actual, expected).enumerated() {
    let error = abs(a - b)
    if !(error <= worst.error) { worst = (error, index) }
  }
  #expect(
    worst.error <= limit,
    "\(what): [\(worst.index)] is \(actual[worst.index]), expected \(expected[worst.index]), limit \(limit)",
    sourceLocation: sourceLocation)
}
