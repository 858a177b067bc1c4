import Adversarial
import ArgumentParser
import Storage

/// The attack that measures robustness.
struct AttackOptions: ParsableArguments {
  /// What `--attack` knows.
  enum Name: String, CaseIterable { case none, fgsm, pgd }
  enum Norm: String, CaseIterable { case linf }
  enum Start: String, CaseIterable { case random, clean }

  @Option(help: "none, fgsm (one step of length eps from the clean image) or pgd.")
  var attack = "none"

  @Option(help: "Radius of the perturbation, 8/255 or 0.03.")
  var eps = Epsilon(argument: "8/255")!

  @Option(help: "Length of one step.")
  var step: Epsilon?

  @Option(help: "Steps of pgd.")
  var steps: Int?

  @Option(help: "Norm of the perturbation: linf.")
  var norm = "linf"

  @Option(help: "Where pgd starts: random, in the eps-box, or clean.")
  var start = "random"

  @Option(help: "Runs of the attack; an image is robust if it withstands all of them.")
  var restarts = 1

  private var name: Name {
    get throws { try choice(attack, "--attack") }
  }

  /// The attack, or nil for none.
  func make() throws -> Attack? {
    let norm: Norm = try choice(norm, "--norm")
    let start: Start = try choice(start, "--start")
    guard restarts > 0 else { throw Failure.usage("--restarts \(restarts): expected at least 1") }
    let result: Attack
    switch (try name, norm) {
    case (.none, _): return nil
    case (.fgsm, .linf):
      guard step == nil, steps == nil else {
        throw Failure.usage("--step and --steps go with --attack pgd, not with fgsm")
      }
      return .fgsm(eps: eps)
    case (.pgd, .linf):
      let count = steps ?? 10
      guard (1...100_000).contains(count) else {
        throw Failure.usage("--steps \(count): expected 1...100000")
      }
      result = Attack(
        eps: eps, step: step ?? Epsilon(argument: "2/255")!, steps: count,
        start: start == .random ? .random : .clean)
    }
    guard result.step.value > 0 else { throw Failure.usage("--step: must be above 0") }
    return result
  }

  /// What these were parsed from, but for the restarts.
  var arguments: [String] {
    ["--attack", attack, "--eps", eps.text, "--norm", norm, "--start", start]
      + (step.map { ["--step", $0.text] } ?? []) + (steps.map { ["--steps", "\($0)"] } ?? [])
  }

  private func choice<Choice: RawRepresentable & CaseIterable>(
    _ text: String, _ option: String
  ) throws -> Choice where Choice.RawValue == String {
    guard let value = Choice(rawValue: text) else {
      let known = Choice.allCases.map(\.rawValue).joined(separator: ", ")
      throw Failure.usage("\(option) '\(text)': does not exist; there are: \(known)")
    }
    return value
  }

  /// Every constant, for a record of the result.
  func json(_ attack: Attack, seed: UInt64) -> JSON {
    [
      "name": .string(self.attack), "norm": .string(norm), "eps": .double(attack.eps.value),
      "eps_text": .string(attack.eps.text), "step": .double(attack.step.value),
      "step_text": .string(attack.step.text), "steps": .int(attack.steps),
      "start": .string(attack.start.rawValue), "restarts": .int(restarts),
      "seed": .int(Int(truncatingIfNeeded: seed)), "loss": .string("cross-entropy"),
      "targeted": .bool(false), "batch_norm": .string(attack.batchNorm.rawValue),
      "low": .double(attack.low), "high": .double(attack.high),
    ]
  }
}
