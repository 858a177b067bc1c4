import Foundation
import IR
import TestSupport
import Testing

@testable import Engine

/// Fused regions: compiled, interpreted by blocks, and in double precision.
///
/// All three agree within 2e-5 of the largest value, or of one.
@Suite struct FusedTests {
  static let sets = InstructionSet.allCases.filter(\.isSupported)

  /// The backends that this machine can run.
  static let backends: [FusedBackend] = {
    if case .success = FusedCompiler.shared { return FusedBackend.allCases }
    return [.blocks]
  }()

  @Test func everyInstructionSetIsAccountedFor() {
    for set in InstructionSet.allCases where !set.isSupported {
      print("fused regions for \(set): not executed, this CPU lacks it")
    }
    #expect(Self.sets.count >= 2)
  }

  @Test(arguments: 0..<210) func randomRegionsAgree(_ seed: Int) throws {
    let graph = try RandomRegion.graph(seed: UInt64(seed))
    #expect(graph.nodes.contains { $0.op == "fused" })
    let inputs = graph.inputs.enumerated().map { index, input in
      randomValues(
        graph.type(input.value), seed: UInt64(seed * 16 + index), awayFromZero: 1e-3
      ).map { Double(Float($0)) }
    }
    let named = Dictionary(uniqueKeysWithValues: zip(graph.inputs.map(\.name), inputs))
    let expected = try Interpreter(graph).run(inputs: named)
    for set in Self.sets {
      // The reference twin interprets for both.
      for backend in set == .reference ? [.blocks] : Self.backends {
        try compare(graph, inputs, expected, set, backend)
      }
    }
  }

  private func compare(
    _ graph: Graph, _ inputs: [[Double]], _ expected: [String: [Double]], _ set: InstructionSet,
    _ backend: FusedBackend
  ) throws {
    var first: [String: [UInt8]] = [:]
    for threads in [1, 3] {
      let executable = try run(graph, inputs, set, backend, threads: threads)
      for output in graph.outputs {
        let what = "\(output.name), \(set), \(backend)\n\(graph.text)"
        let (type, bytes) = try executable.output(output.name)
        expectNear(readValues(type, bytes), expected[output.name]!, what, tolerance: 2e-5)
        if let known = first[output.name] { #expect(known == Array(bytes), "\(what)") }
        first[output.name] = Array(bytes)
      }
    }
  }

  private func run(
    _ graph: Graph, _ inputs: [[Double]], _ set: InstructionSet, _ backend: FusedBackend,
    threads: Int
  ) throws -> Executable {
    let program = try Compiler.compile(graph, options: Compiler.Options(threads: threads)).program
    let executable = try Executable(
      program, store: try store(graph, inputs), instructionSet: set, fusedBackend: backend)
    executable.run()
    return executable
  }

  /// Infinities, zeros and NaN end as the references say, one operation at a time.
  @Test(arguments: ["exp", "log", "sigmoid", "silu", "tanh", "softplus", "leaky_relu", "gelu"])
  func specialValues(_ op: String) throws {
    let values: [Double] = [0, -0.0, .infinity, -.infinity, .nan, 200, -200, 1e30, -1e30, 1, -1]
    let builder = GraphBuilder(name: op)
    let x = try builder.input("x", .f32(1, values.count), .data)
    builder.output("y", try builder.emitOne(op, [x]))
    let inputs = values.map { Double(Float($0)) }
    let expected = try Interpreter(builder.graph).run(inputs: ["x": inputs])["y"]!
    for set in Self.sets {
      for backend in Self.backends {
        let executable = try run(builder.graph, [inputs], set, backend, threads: 1)
        for (index, y) in try executable.floats("y").enumerated() {
          let want = Float(expected[index])
          let same =
            want.isNaN ? y.isNaN : y == want || abs(y - want) <= 1e-6 * max(abs(want), 1e-20)
          #expect(same, "\(op)(\(values[index])) is \(y), not \(want): \(set), \(backend)")
        }
      }
    }
  }

  /// A result may take the place of an operand that another result still reads.
  @Test func resultsMayReplaceOperands() throws {
    let graph = try Graph(
      parsing: """
        graph @replace {
          input %0 "a" data : f32[3,70]
          input %1 "b" data : f32[3,70]
          %2 = scale %0 {factor = 0.5} : f32[3,70]
          %3 = scale %1 {factor = 0.25} : f32[3,70]
          %4, %5 = fused %2, %3 {body = (%0 : f32[3,70], %1 : f32[3,70]) {
            %2 = image_max %0 : f32[3]
            %3 = image_shift %1, %2 : f32[3,70]
            %4 = exp %0 : f32[3,70]
            yield %3, %4
          }} : f32[3,70], f32[3,70]
          output "shifted" %4
          output "exp" %5
        }
        """)
    let inputs = graph.inputs.map { randomValues(graph.type($0.value), seed: 5) }
      .map { $0.map { Double(Float($0)) } }
    let expected = try Interpreter(graph).run(inputs: ["a": inputs[0], "b": inputs[1]])
    for set in Self.sets {
      for backend in Self.backends {
        let executable = try run(graph, inputs, set, backend, threads: 2)
        let fused = try #require(
          executable.program.instructions.first { $0.kernel == "fused" })
        #expect(Set(fused.operands.map(\.buffer)).count < fused.operands.count)
        for name in ["shifted", "exp"] {
          let (type, bytes) = try executable.output(name)
          expectNear(readValues(type, bytes), expected[name]!, name, tolerance: 1e-6)
        }
      }
    }
  }
}

/// Relative to the largest expected value, or to one.
func expectNear(
  _ actual: [Double], _ expected: [Double], _ what: String, tolerance: Double,
  sourceLocation: SourceLocation = #_sourceLocation
) {
  let scale = max(expected.map(abs).max() ?? 0, 1)
  let worst = zip(actual, expected).map { abs($0 - $1) }.max() ?? 0
  #expect(
    actual.count == expected.count && worst <= tolerance * scale,
    "differs by \(worst): \(what)", sourceLocation: sourceLocation)
}
