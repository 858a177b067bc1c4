import TestSupport
import Testing

@testable import IR

/// Every gradient rule against central differences of the references, in double precision: the loss
/// is the sum of the first result times random weights.
@Suite struct GradientTests {
  static let differentiable = OpRegistry.all.filter { $0.gradient != nil }.map(\.name)

  @Test(arguments: differentiable) func hasASample(_ name: String) throws {
    let definition = try OpRegistry.definition(name)
    #expect(definition.samples.contains { !$0.differentiable.isEmpty })
  }

  @Test(arguments: differentiable) func matchesFiniteDifferences(_ name: String) throws {
    let definition = try OpRegistry.definition(name)
    for sample in definition.samples where !sample.differentiable.isEmpty {
      let check = try GradientCheck(definition, sample)
      for operand in sample.differentiable { try check.run(operand: operand) }
    }
  }

  /// A rule asked for one gradient gives the same as when asked for all, and none that was not
  /// asked for is used.
  @Test(arguments: differentiable) func gradientsDoNotDependOnWhichAreWanted(_ name: String) throws
  {
    let definition = try OpRegistry.definition(name)
    for sample in definition.samples where !sample.differentiable.isEmpty {
      let check = try GradientCheck(definition, sample)
      let all = try check.gradients(wanted: sample.differentiable)
      for operand in sample.differentiable {
        let alone = try check.gradients(wanted: [operand])
        #expect(try #require(all[operand]) == (try #require(alone[operand])))
      }
    }
  }
}

private struct GradientCheck {
  let definition: OpDef
  let sample: OpSample
  let forward: Interpreter
  let inputs: [String: [Double]]
  let weights: [Double]

  init(_ definition: OpDef, _ sample: OpSample) throws {
    self.definition = definition
    self.sample = sample
    let graph = try Graph(of: definition, sample)
    forward = try Interpreter(graph)
    inputs = Dictionary(
      uniqueKeysWithValues: zip(
        graph.inputs.map(\.name), randomInputs(sample, seed: 3, awayFromZero: 0.01)))
    weights = randomValues(graph.type(graph.outputs[0].value), seed: 99)
  }

  /// The gradients by operand, from the operation's rule.
  func gradients(wanted: [Int]) throws -> [Int: [Double]] {
    let graph = try Graph(of: definition, sample)
    let builder = GraphBuilder(extending: graph)
    let node = try #require(graph.nodes.first)
    let dy = try builder.input("weights", graph.type(node.results[0]), .data)
    let context = GradientContext(
      builder: builder, node: node,
      resultGradients: node.results.indices.map { $0 == 0 ? dy : nil },
      wanted: node.operands.indices.map(wanted.contains))
    let rule = try #require(definition.gradient)
    let values = try rule(context)
    #expect(values.count == node.operands.count)
    for operand in wanted {
      builder.output("gradient\(operand)", try #require(values[operand]))
    }
    let outputs = try Interpreter(builder.graph).run(
      inputs: inputs.merging(["weights": weights]) { $1 })
    return Dictionary(
      uniqueKeysWithValues: wanted.map { ($0, outputs["gradient\($0)"] ?? []) })
  }

  func run(operand: Int) throws {
    let gradient = try #require(gradients(wanted: [operand])[operand])
    #expect(gradient.count == sample.operands[operand].count)
    #expect(gradient.contains { $0 != 0 })
    let norm = gradient.reduce(0) { $0 + $1 * $1 }.squareRoot()
    for seed in 0..<5 {
      let direction = randomValues(sample.operands[operand], seed: UInt64(1000 + seed))
      let analytic = zip(gradient, direction).reduce(0) { $0 + $1.0 * $1.1 }
      let step = 1e-5
      let numeric =
        try (loss(operand, direction, step) - loss(operand, direction, -step)) / (2 * step)
      #expect(
        abs(numeric - analytic) <= 1e-5 * norm,
        "\(definition.name) \(sample.operands), operand \(operand): \(numeric) and \(analytic)")
    }
  }

  /// The loss with one operand moved along a direction.
  private func loss(_ operand: Int, _ direction: [Double], _ step: Double) throws -> Double {
    var inputs = inputs
    let name = "operand\(operand)"
    inputs[name] = zip(inputs[name] ?? [], direction).map { $0 + step * $1 }
    let y = try forward.run(inputs: inputs)["result0"] ?? []
    return zip(y, weights).reduce(0) { $0 + $1.0 * $1.1 }
  }
}
