import Datasets
import Engine
import IR
import Models
import Testing

@testable import Adversarial

/// Programs keep what they made of the weights from run to run: never beyond a change that is not
/// their own.
@Suite struct ReuseTests {
  static let step = ProgramKey.clat(
    layers: [1], .init(), SGDOptions(),
    attack: Attack(eps: 0.1, step: 0.05, steps: 2))
  static let batch = 8

  /// One network, and a twin for whose programs nothing stays from run to run.
  struct Pair {
    let session: ModelSession
    private let twin: ModelSession
    private var sessions: [ModelSession] { [session, twin] }

    /// Wide enough for Winograd.
    init(threads: Int = 2) throws {
      let model = try Model(
        ModelSpec("resnet18:width=32"), imageShape: (8, 8, 3), classes: 10)
      session = try ModelSession(model, seed: 3, threads: threads)
      twin = try ModelSession(model, seed: 3, threads: threads)
      for session in sessions {
        let x = try session.images("x", ReuseTests.batch).floats
        for index in x.indices { x[index] = Float(index * 37 % 101) / 101 }
        try session.setScalar("lr", 0.1)
        try session.setScalar("lambda", 0.5)
        try session.setStream(RandomStream(seed: 1, epoch: 0, purpose: .attackStart))
      }
    }

    func both(_ body: (ModelSession) throws -> Void) rethrows { try sessions.forEach(body) }

    /// Runs a program on both, on the twin one made anew, and compares all that is trained.
    func run(
      _ key: ProgramKey, _ what: String, location: SourceLocation = #_sourceLocation
    ) throws {
      twin.drop { _ in true }
      try both { try $0.program(key, batch: ReuseTests.batch).run() }
      #expect(
        try session.contentHash(except: []) == twin.contentHash(except: []), "\(what)",
        sourceLocation: location)
    }
  }

  private func kernels(_ program: Program, _ stage: Stage) -> Range<Int> {
    program.sections.first { $0.stage == stage }!.instructions
  }

  /// The filters of frozen layers are packed in the first run alone, those of trained ones in all.
  @Test func onlyWhatTrainsIsPackedAgain() throws {
    let session = try Pair().session
    let executable = try session.program(Self.step, batch: Self.batch)
    let program = executable.program
    let (frozen, trained) = (kernels(program, .weights), kernels(program, .updated))
    #expect(frozen.count > 20 && trained.count > 2 && trained.count < 10)
    #expect(program.instructions[trained].contains { $0.kernel.hasSuffix("pack") })
    func packs() -> (frozen: Bool, trained: Bool) {
      executable.isProfiling = true
      executable.run()
      let times = executable.profile
      return (times[frozen].contains { $0 > 0 }, times[trained].contains { $0 > 0 })
    }
    #expect(packs() == (true, true))
    for _ in 0..<2 { #expect(packs() == (false, true)) }
    session.store.weightsChanged()
    #expect(packs() == (true, true))
    #expect(packs() == (false, true))
  }

  @Test func stepsFollowOneAnother() throws {
    let pair = try Pair()
    let before = try pair.session.contentHash(except: [])
    for index in 0..<3 { try pair.run(Self.step, "step \(index)") }
    #expect(try pair.session.contentHash(except: []) != before)
  }

  /// Loading weights, restoring a checkpoint.
  @Test func weightsAreReplaced() throws {
    let pair = try Pair()
    let initial = try pair.session.storedTensors()
    for _ in 0..<2 { try pair.run(Self.step, "before") }
    try pair.both { session in
      let frozen = "layer2.0.conv2.weight"
      let tensor = try #require(session.store[frozen])
      try session.store.set(frozen, tensor.type, tensor.floats.map { -$0 })
    }
    for _ in 0..<2 { try pair.run(Self.step, "one tensor replaced") }
    try pair.both { try $0.load(.init(file: "initial", initial)) }
    for _ in 0..<2 { try pair.run(Self.step, "all tensors replaced") }
  }

  /// Others use the arena, or train what this one has frozen.
  @Test func otherProgramsRunInBetween() throws {
    let pair = try Pair()
    var other = Self.step
    if case .clat(_, let options, let sgd, let attack) = other {
      other = .clat(layers: [5, 9], options, sgd, attack: attack)
    }
    for round in 0..<2 {
      try pair.run(Self.step, "step \(round)")
      try pair.run(.evaluation(), "evaluation \(round)")
      try pair.run(Self.step, "step after an evaluation \(round)")
      try pair.run(other, "step of other layers \(round)")
      try pair.run(Self.step, "step after one of other layers \(round)")
      try pair.run(.training(SGDOptions(), images: "x"), "training \(round)")
    }
  }

  /// One program on two stores, in turns; the second's weights differ.
  @Test func aProgramServesTwoStores() throws {
    let (a, b) = (try Pair(), try Pair())
    try b.both { session in
      for name in ["conv1.weight", "layer1.1.conv2.weight"] {
        let tensor = try #require(session.store[name])
        try session.store.set(name, tensor.type, tensor.floats.map { 0.5 * $0 })
      }
    }
    let program = try a.session.program(Self.step, batch: Self.batch).program
    try b.session.use(program, on: .best, as: Self.step, batch: Self.batch)
    for index in 0..<3 {
      try a.run(Self.step, "first store \(index)")
      try b.run(Self.step, "second store \(index)")
    }
    #expect(try a.session.contentHash(except: []) != b.session.contentHash(except: []))
  }

  @Test(arguments: [1, 3, 4]) func threadsGiveTheSameBits(_ threads: Int) throws {
    let (expected, found) = (try Pair(), try Pair(threads: threads))
    for index in 0..<3 {
      try expected.run(Self.step, "two threads \(index)")
      try found.run(Self.step, "\(threads) threads \(index)")
      #expect(
        try expected.session.contentHash(except: []) == found.session.contentHash(except: []))
    }
  }
}
