import Foundation
import IR
import TestSupport
import Testing

/// The files of `Programs`: passes on graphs in text.
@Suite struct PassProgramTests {
  static let tests: [ProgramTest] = {
    let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().path + "/Programs"
    return (try? ProgramTest.load(folder: folder)) ?? []
  }()

  @Test func everyPassHasAProgram() throws {
    let tested = Set(Self.tests.flatMap { $0.directive("PASS") })
    for pass in Pipeline.passes(CompileRequest()) { #expect(tested.contains(pass.name)) }
  }

  /// The result passes its checks, verifies, round-trips through text, and computes what the graph
  /// computed before.
  @Test(arguments: tests) func holds(_ test: ProgramTest) throws {
    let graph = try test.graph()
    try Verifier.verify(graph)
    let passes = try test.passes()
    if let message = test.expectedError {
      let error = #expect(throws: IRError.self) { try PassManager().run(graph, passes) }
      #expect(error?.message.contains(message) == true, "\(error?.message ?? "none")")
      return
    }
    let result = try runChecked(graph, passes, tolerance: test.tolerance)
    let check = try FileCheck(test.source, firstLine: test.line)
    #expect(!check.checks.isEmpty, "\(test) checks nothing")
    try check.verify(result.text)
  }
}

/// Runs passes one by one. After each: the graph verifies, its text parses to the same graph, and
/// the interpreter gives the same outputs as before (those that are new, and graphs that hold
/// gradient requests, aside).
func runChecked(
  _ graph: Graph, _ passes: [Pass], inputs: [String: [Double]] = [:], tolerance: Double = 1e-10,
  semantics: Bool = true
) throws -> Graph {
  var graph = graph
  var reference: [String: [Double]]?
  for pass in passes {
    let before = graph
    graph = try PassManager().run(graph, [pass]).graph
    #expect(try Graph(parsing: graph.text) == graph, "after \(pass.name)")
    guard semantics, !graph.nodes.contains(where: { $0.op == "gradient" }) else { continue }
    let inputs = inputs.merging(graph.randomInputs()) { a, _ in a }
    if reference == nil, before.isExecutable {
      let all = inputs.merging(before.randomInputs()) { a, _ in a }
      reference = try Interpreter(before).run(inputs: all)
    }
    let outputs = try Interpreter(graph).run(inputs: inputs)
    if let reference {
      let kept = reference.filter { outputs[$0.key] != nil }
      let same = outputs.filter { kept[$0.key] != nil }
      let wrong = differences(same, kept, tolerance: tolerance)
      #expect(wrong.isEmpty, "\(pass.name): \(wrong.joined(separator: "; "))")
    }
    reference = outputs
  }
  return graph
}

extension Graph {
  fileprivate var isExecutable: Bool { !nodes.contains { $0.op == "gradient" } }
}
