import Datasets
import Foundation
import IR
import Models
import Testing

@testable import Adversarial

/// A small network for the embedded digits, trained for an epoch of plain SGD.
func digitsSession(threads: Int = 2, trained: Bool = true) throws -> ModelSession {
  let data = try Dataset.load("digits", split: .train)
  let model = try Model(ModelSpec("small-cnn:width=4"), imageShape: (8, 8, 1), classes: 10)
  let session = try ModelSession(model, seed: 3, threads: threads)
  guard trained else { return session }
  let plan = try BatchPlan.shuffled(
    count: data.count, batchSize: 64, lastBatch: .drop, seed: 1, epoch: 0)
  let assembler = try BatchAssembler(dataset: data, plan: plan, seed: 1, epoch: 0)
  try session.setScalar("lr", 0.05)
  for index in 0..<plan.batchCount {
    try session.load(assembler.batch(index))
    try session.program(.training(SGDOptions(), images: "x"), batch: 64).run()
  }
  return session
}

@Suite struct EvaluationTests {
  static let attack = Attack(eps: 0.1, step: 0.025, steps: 5)

  @Test func worstCaseHoldsAndRechecks() throws {
    let session = try digitsSession()
    let data = try Dataset.load("digits", split: .test).subset(100)
    let options = Evaluation.Options(
      attack: Self.attack, restarts: 2, batchSize: 48, seed: 5, keepsImages: true)
    let result = try Evaluation.run(session, data, options)
    #expect(result.count == 100)
    #expect(result.cleanAccuracy > 0.5)
    let robust = try #require(result.robustAccuracy)
    #expect(robust <= result.cleanAccuracy)
    let correct = result.robustCorrect.count { $0 }
    let recheck = try Evaluation.recheck(
      session, data, adversarial: result.adversarial, eps: 0.1, expected: correct, batchSize: 30)
    #expect(recheck.problems == [])
    #expect(recheck.correct == correct)
    #expect(recheck.maximumNorm > 0.09)
    var broken = result.adversarial
    broken[0] = .nan
    broken[1] = 1.5
    let found = try Evaluation.recheck(
      session, data, adversarial: broken, eps: 0.1, expected: correct + 1)
    #expect(found.problems.count == 4)
  }

  @Test func moreRestartsAndLargerBudgetsNeverHelp() throws {
    let session = try digitsSession()
    let data = try Dataset.load("digits", split: .test).subset(64)
    func robust(_ attack: Attack, restarts: Int) throws -> [Bool] {
      let options = Evaluation.Options(attack: attack, restarts: restarts, batchSize: 64)
      return try Evaluation.run(session, data, options).robustCorrect
    }
    let (once, thrice) = (
      try robust(Self.attack, restarts: 1), try robust(Self.attack, restarts: 3)
    )
    for (a, b) in zip(once, thrice) where b { #expect(a) }
    let unbounded = Attack(eps: 1.0, step: 0.1, steps: 50)
    #expect(try !robust(unbounded, restarts: 1).contains(true))
    let nothing = Attack(eps: 0.0, step: 0.0, steps: 1)
    let clean = try Evaluation.run(session, data, .init(batchSize: 64)).cleanCorrect
    #expect(try robust(nothing, restarts: 1) == clean)
  }

  @Test func resultsDependNeitherOnThreadsNorOnTheBatch() throws {
    let data = try Dataset.load("digits", split: .test).subset(70)
    func run(threads: Int, batch: Int) throws -> Evaluation {
      let session = try digitsSession(threads: threads)
      return try Evaluation.run(
        session, data,
        .init(attack: Self.attack, batchSize: batch, seed: 2, keepsImages: true))
    }
    let first = try run(threads: 1, batch: 32)
    let second = try run(threads: 3, batch: 32)
    #expect(first.adversarial == second.adversarial)
    #expect(first.logits == second.logits)
    #expect(first.robustCorrect == second.robustCorrect)
    let other = try run(threads: 2, batch: 70)
    #expect(other.cleanCorrect == first.cleanCorrect)
    for (a, b) in zip(other.cleanLogits, first.cleanLogits) { #expect(abs(a - b) < 1e-4) }
  }

  @Test func badSettingsAreErrors() throws {
    let session = try digitsSession(trained: false)
    let data = try Dataset.load("digits", split: .test).subset(4)
    #expect(
      message { _ = try Evaluation.run(session, data, .init(restarts: 0)) }.contains("restarts"))
    let none = Attack(eps: 0.1, step: 0.1, steps: 0)
    #expect(
      message { _ = try Evaluation.run(session, data, .init(attack: none)) }.contains("steps"))
    #expect(throws: CancellationError.self) {
      _ = try Evaluation.run(session, data, shouldStop: { true })
    }
    #expect(
      message {
        _ = try Evaluation.recheck(session, data, adversarial: [0], eps: 0.1, expected: 1)
      }.contains("expected 4 images"))
  }
}
