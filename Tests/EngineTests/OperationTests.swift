import Eager
import Engine
import IR
import TestSupport
import Testing

func store(_ graph: Graph, _ inputs: [[Double]]) throws -> TensorStore {
  let store = TensorStore()
  for (input, values) in zip(graph.inputs, inputs) {
    let tensor = try store.tensor(input.name, graph.type(input.value))
    switch tensor.type.dtype {
    case .f32: _ = tensor.floats.update(from: values.map(Float.init))
    case .i32: _ = tensor.integers.update(from: values.map { Int32($0) })
    case .bits: writeBits(values, to: tensor)
    case .packed: break
    }
  }
  return store
}

func writeBits(_ values: [Double], to tensor: Tensor) {
  let channels = tensor.type.channels
  let bytes = (channels + 7) / 8
  let pointer = tensor.pointer.assumingMemoryBound(to: UInt8.self)
  for (index, value) in values.enumerated() where value != 0 {
    pointer[index / channels * bytes + index % channels / 8] |= 1 << UInt8(index % channels % 8)
  }
}

func readValues(_ type: TensorType, _ bytes: UnsafeRawBufferPointer) -> [Double] {
  switch type.dtype {
  case .f32, .packed: bytes.bindMemory(to: Float.self).map(Double.init)
  case .i32: bytes.bindMemory(to: Int32.self).map(Double.init)
  case .bits:
    (0..<type.count).map { index in
      let row = (type.channels + 7) / 8
      let byte = bytes[index / type.channels * row + index % type.channels / 8]
      return Double(byte >> UInt8(index % type.channels % 8) & 1)
    }
  }
}

@Suite struct OperationTests {
  static let executable = OpRegistry.all.filter { $0.name != "gradient" }.map(\.name)

  /// Both engines give what the operation's reference gives, for every instruction set and thread
  /// count.
  @Test(arguments: executable) func enginesMatchReference(_ name: String) throws {
    let definition = try OpRegistry.definition(name)
    for sample in definition.samples {
      let graph = try Graph(of: definition, sample)
      let inputs = randomInputs(sample, seed: 7)
      let named = Dictionary(
        uniqueKeysWithValues: zip(graph.inputs, inputs).map { input, values in
          (input.name, values.map { Double(Float($0)) })
        })
      let expected = try Interpreter(graph).run(inputs: named)
      for set in InstructionSet.allCases where set.isSupported {
        for threads in [1, 2, 3] {
          try compare(graph, inputs, expected, set, threads: threads)
        }
      }
    }
  }

  private func compare(
    _ graph: Graph, _ inputs: [[Double]], _ expected: [String: [Double]], _ set: InstructionSet,
    threads: Int
  ) throws {
    let options = Compiler.Options(threads: threads)
    let program = try Compiler.compile(graph, options: options).program
    let executable = try Executable(
      program, store: try store(graph, inputs), instructionSet: set)
    executable.run()
    let eager = try EagerExecutor(
      graph, store: try store(graph, inputs), threads: threads, instructionSet: set)
    try eager.run()
    for output in graph.outputs where graph.type(output.value).dtype != .packed {
      let name = "\(graph.name) \(set) \(threads) threads, \(output.name)"
      let (type, bytes) = try executable.output(output.name)
      expectClose(readValues(type, bytes), expected[output.name]!, name)
      let tensor = try eager.output(output.name)
      expectClose(readValues(type, tensor.bytes), expected[output.name]!, "eager \(name)")
    }
  }
}

/// Relative to the largest expected value.
func expectClose(
  _ actual: [Double], _ expected: [Double], _ what: String, tolerance: Double = 2e-5,
  sourceLocation: SourceLocation = #_sourceLocation
) {
  #expect(actual.count == expected.count, "\(what)", sourceLocation: sourceLocation)
  let scale = expected.map(abs).max() ?? 1
  var worst = (error: 0.0, index: 0)
  for (index, pair) in zip(actual, expected).enumerated() {
    let error = abs(pair.0 - pair.1) / max(scale, 1e-30)
    if !(error <= worst.error) { worst = (error, index) }
  }
  #expect(
    worst.error <= tolerance,
    "\(what): element \(worst.index) is \(actual[worst.index]), expected \(expected[worst.index])",
    sourceLocation: sourceLocation)
}
