import Datasets
import IR
import Models
import Testing

@testable import Adversarial

@Suite struct CriticalityTests {
  private func criticality(_ rule: Criticality.FirstLayer) -> Criticality {
    Criticality(
      names: ["a", "b", "c", "d"], weakness: [0.5, 1, 3, 3], input: 0.25, firstLayer: rule)
  }

  @Test func quotientsFollowEquationThree() {
    #expect(criticality(.paper).layers.map(\.criticality) == [0.5, 2, 3, 1])
    #expect(criticality(.exclude).layers.map(\.criticality) == [nil, 2, 3, 1])
    #expect(criticality(.input).layers.map(\.criticality) == [2, 2, 3, 1])
    #expect(criticality(.paper).ranking == [2, 1, 3, 0])
    #expect(criticality(.input).ranking == [2, 0, 1, 3])
    #expect(criticality(.exclude).ranking == [2, 1, 3])
  }

  @Test func normalisationsDivideTheSameDistances() throws {
    let session = try digitsSession()
    let data = try Dataset.load("digits", split: .train).subset(40)
    func weakness(_ rule: Criticality.Normalization) throws -> [Double] {
      let options = Criticality.Options(attack: EvaluationTests.attack, normalization: rule)
      return try Criticality.compute(session, data, options, batchSize: 24).layers.map(\.weakness)
    }
    let none = try weakness(.none)
    let sizes = try CriticalityGraph.sizes(session.model).map(Double.init)
    for (i, size) in sizes.enumerated() {
      #expect(abs(try weakness(.size)[i] * size / none[i] - 1) < 1e-12)
      #expect(abs(try weakness(.rootSize)[i] * size.squareRoot() / none[i] - 1) < 1e-12)
      #expect(none[i] > 0)
    }
    #expect(try weakness(.relative).allSatisfy { $0 > 0 && $0 < 10 })
  }

  @Test func selectionRules() throws {
    let model = try Model(ModelSpec("small-cnn"), imageShape: (8, 8, 1), classes: 10)
    let values = Criticality(
      names: ["conv1", "conv2", "conv3"], weakness: [0.1, 1, 0.5], input: 1, firstLayer: .paper)
    func select(_ selection: LayerSelection, draw: Int = 0) throws -> [Int] {
      try selection.select(model, values, seed: 1, draw: draw)
    }
    #expect(try select(LayerSelection(count: 2)) == [1, 2])
    #expect(try select(LayerSelection(rule: .smallest, count: 1)) == [0])
    #expect(try select(LayerSelection(rule: .fixed, layers: ["conv3", "0"])) == [0, 2])
    #expect(try select(LayerSelection(fraction: 0.34)).count == 2)
    let draws = try (0..<20).map { try select(LayerSelection(rule: .random, count: 1), draw: $0) }
    #expect(Set(draws).count == 3)
    #expect(message { _ = try select(LayerSelection(count: 4)) }.contains("has 1...3"))
    #expect(
      message { _ = try select(LayerSelection(rule: .fixed, layers: ["conv4"])) }
        .contains("no layer of small-cnn"))
  }
}
