import IR
import Models
import TestSupport
import Testing

@testable import Adversarial

/// Every network through the programs of training: both engines come to the same.
@Suite struct NetworkStepTests {
  private func both(
    _ key: ProgramKey, _ golden: Golden, _ inputs: [String: [Double]]
  ) throws -> (compiled: [String: [Double]], eager: [String: [Double]]) {
    let graph = try key.graph(golden.model, batch: golden.batch)
    let request = try key.request(golden.model)
    return (
      try TestEngine.compiled.run(graph, inputs, request),
      try TestEngine.eager.run(graph, inputs, request)
    )
  }

  private func expectSame(_ results: (compiled: [String: [Double]], eager: [String: [Double]])) {
    #expect(Set(results.compiled.keys) == Set(results.eager.keys))
    for (name, eager) in results.eager {
      // Fifty batch norms in training mode amplify rounding.
      expectClose(results.compiled[name], eager, relative: 2e-4, name)
    }
  }

  /// Two steps of PGD, ordinary training on what they found, and CLAT's update of as many layers as
  /// the network is given by default, the last ones.
  @Test(arguments: Golden.networks) func steps(_ name: String) throws {
    let golden = try Golden("network-\(name)")
    let model = golden.model
    var inputs = golden.inputs()
    inputs["lr"] = [0.1]
    inputs["lambda"] = [0.1]
    inputs["start"] = inputs["x"]
    let attack = Attack(eps: Golden.eps, step: Golden.step, steps: 2, start: .given)
    let found = try both(.attack(attack, .crossEntropy), golden, inputs)
    let (compiled, eager) = (found.compiled["x_adv"] ?? [], found.eager["x_adv"] ?? [])
    // Rounding turns a step's sign where the gradient vanishes.
    let different = zip(compiled, eager).count { abs($0 - $1) > 1e-6 }
    #expect(compiled.count == eager.count && different <= eager.count / 500)
    #expect(zip(eager, inputs["x"] ?? []).contains { abs($0 - $1) > Golden.step.value / 2 })

    inputs["x_adv"] = eager
    expectSame(try both(.training(SGDOptions(), images: "x"), golden, inputs))
    let layers = Array(model.units.indices.suffix(model.defaultCriticalCount))
    expectSame(try both(.clat(layers: layers, .init(), SGDOptions()), golden, inputs))
  }
}
