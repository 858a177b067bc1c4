import Eager
import Engine
import IR
import Models
import Testing

/// A PGD attack of a small network, as recipes build it.
struct SmallAttack {
  static let batch = 6
  let model: Model
  let graph: Graph

  /// - Parameter layers: attack the features of these layers; nil attacks the cross entropy.
  init(_ spec: String = "resnet20:width=4", steps: Int = 3, layers: [Int]? = nil) throws {
    model = try Model(try ModelSpec(spec), imageShape: (8, 8, 3), classes: 10)
    let builder = GraphBuilder(name: "attack")
    let images = TensorType.f32(Self.batch, 8, 8, 3)
    let x = try builder.input("x", images, .data)
    let labels = try builder.input("labels", .i32(Self.batch), .data)
    let ids = try builder.input("ids", .i32(Self.batch), .data)
    let stream = try builder.input("stream", .i32(4), .data)
    let adversarial = try builder.input("x_adv", images, .carried)
    let start = try builder.emitOne("random_start", [x, ids, stream], ["eps": .float(0.1)])
    let emitter = ForwardEmitter(builder: builder, model: model, mode: .eval)
    let forward = try emitter(adversarial)
    let loss: ValueID
    if let layers {
      let clean = try emitter(x)
      let distances = try layers.map { layer in
        try builder.emitOne(
          "feature_distance",
          [forward.features[layer].activation, clean.features[layer].activation])
      }
      let sum = try distances.dropFirst().reduce(distances[0]) {
        try builder.emitOne("add", [$0, $1])
      }
      loss = try builder.emitOne("mean", [sum])
    } else {
      loss = try builder.emitOne(
        "mean", [builder.emitOne("cross_entropy", [forward.logits, labels])])
    }
    let gradient = try builder.emitOne("gradient", [loss, adversarial])
    let next = try builder.emitOne(
      "sign_step", [adversarial, gradient, x], ["step": .float(0.03), "eps": .float(0.1)])
    builder.loop(steps: steps, carry: adversarial, initial: start, next: next)
    builder.output("x_adv", next)
    builder.output("loss", loss)
    builder.output("gradient", gradient)
    graph = builder.graph
  }

  func store() throws -> TensorStore {
    let store = TensorStore()
    let values = model.initialValues(seed: 3)
    for parameter in model.parameters {
      try store.set(parameter.name, TensorType(.f32, parameter.shape), values[parameter.name]!)
    }
    let x = try store.tensor("x", .f32(Self.batch, 8, 8, 3)).floats
    let random = RandomStream(seed: 11, epoch: 0, purpose: .evaluation)
    for index in x.indices { x[index] = Philox.uniform(random.words(item: 0, index: index).0) }
    for (name, count) in [("labels", Self.batch), ("ids", Self.batch), ("stream", 4)] {
      let values = try store.tensor(name, .i32(count)).integers
      for index in values.indices { values[index] = Int32(index) }
    }
    return store
  }

  func doubles(_ store: TensorStore, _ graph: Graph) throws -> [String: [Double]] {
    var inputs: [String: [Double]] = [:]
    for input in graph.inputs where input.role != .carried {
      let tensor = try store.tensor(input.name, graph.type(input.value))
      inputs[input.name] = readValues(tensor.type, tensor.bytes)
    }
    return inputs
  }
}

@Suite struct ProgramTests {
  private func run(_ attack: SmallAttack, threads: Int, set: InstructionSet = .best) throws
    -> Executable
  {
    let program = try Compiler.compile(attack.graph, options: .init(threads: threads)).program
    let executable = try Executable(program, store: attack.store(), instructionSet: set)
    executable.run()
    return executable
  }

  @Test func resultsHaveTheSameBitsForEveryThreadCount() throws {
    let attack = try SmallAttack()
    let expected = try run(attack, threads: 1).floats("gradient").map(\.bitPattern)
    for threads in 2...5 {
      let actual = try run(attack, threads: threads).floats("gradient").map(\.bitPattern)
      #expect(actual == expected, "\(threads) threads")
    }
  }

  @Test func runsRepeatWithTheSameBits() throws {
    let executable = try run(SmallAttack(), threads: 2)
    let first = try executable.floats("x_adv")
    executable.run()
    #expect(try executable.floats("x_adv") == first)
  }

  @Test(arguments: [nil, [2], [5, 1]] as [[Int]?])
  func enginesAgreeWithTheInterpreter(_ layers: [Int]?) throws {
    let attack = try SmallAttack(steps: 1, layers: layers)
    let store = try attack.store()
    let compiled = try Compiler.compile(attack.graph, options: .init(threads: 2))
    let expected = try Interpreter(compiled.graph).run(
      inputs: attack.doubles(store, compiled.graph))
    for set in InstructionSet.allCases where set.isSupported {
      let executable = try Executable(compiled.program, store: store, instructionSet: set)
      executable.run()
      let eager = try EagerExecutor(attack.graph, store: store, threads: 2, instructionSet: set)
      try eager.run()
      for name in ["loss", "gradient"] {
        expectClose(
          try executable.floats(name).map(Double.init), expected[name]!, "\(name) \(set)",
          tolerance: 1e-4)
        expectClose(
          try eager.floats(name).map(Double.init), expected[name]!, "eager \(name) \(set)",
          tolerance: 1e-4)
      }
    }
  }

  /// What an attack repeats: no packing, no folding, no clean features, nothing above the last tap.
  @Test func loopHoldsOnlyWhatChangesFromStepToStep() throws {
    let attack = try SmallAttack(layers: [7, 2])
    let program = try Compiler.compile(attack.graph, options: .init(threads: 2)).program
    let step = try #require(program.sections.first { $0.stage == .step })
    let kernels = program.instructions[step.instructions].map(\.kernel)
    let preparation = ["conv_pack", "batch_norm_fold", "scale_filters", "random_start"]
    #expect(!kernels.contains(where: preparation.contains))
    #expect(!kernels.contains { $0.hasPrefix("batch_norm") })
    #expect(step.repeats == 3)
    // Stem, layers 1 ... 7, and the first stage's option-A shortcut: eight convolutions forward and
    // eight back.
    #expect(kernels.filter { $0 == "conv_gather" }.count == 16)
    #expect(!program.inputs.contains { $0.name == "linear.weight" })
    let batch = try #require(program.sections.first { $0.stage == .batch })
    let clean = program.instructions[batch.instructions].filter { $0.kernel == "conv_gather" }
    #expect(clean.count == 8)
  }

  /// In evaluation mode no image sees another: threads meet nowhere in the loop.
  @Test(arguments: ["resnet20:width=4", "densenet121:growth=2"])
  func attacksRunWithoutBarriers(_ spec: String) throws {
    var graph = try SmallAttack(spec).graph
    graph.outputs.removeAll { $0.name != "x_adv" }  // the loss is a mean over images
    let program = try Compiler.compile(graph, options: .init(threads: 3)).program
    let step = try #require(program.sections.first { $0.stage == .step })
    let barriers = program.instructions[step.instructions].count { $0.barrier }
    #expect(barriers == 0)
    #expect(program.regions.units == SmallAttack.batch)
  }

  /// Images that do not see each other may run in any grouping.
  @Test(arguments: [1, 2])
  func microBatchesGiveTheSameBits(_ size: Int) throws {
    let attack = try SmallAttack()
    let store = try attack.store()
    func run(_ options: Compiler.Options) throws -> (Program, [String: [Float]]) {
      let program = try Compiler.compile(attack.graph, options: options).program
      let executable = try Executable(program, store: store)
      executable.run()
      let values = try ["x_adv", "loss", "gradient"].map { ($0, try executable.floats($0)) }
      return (program, Dictionary(uniqueKeysWithValues: values))
    }
    let (whole, expected) = try run(.init(threads: 2))
    let (cut, found) = try run(.init(threads: 2, microBatch: size))
    #expect(found == expected)
    #expect(whole.segments.allSatisfy { $0.rounds == 1 })
    let step = try #require(cut.sections.first { $0.stage == .step })
    let longest = try #require(step.segments.max { $0.instructions.count < $1.instructions.count })
    #expect(longest.rounds == (3 + size - 1) / size)
    #expect(longest.instructions.count > 5)
    #expect(cut.regions.bytesPerThread < whole.regions.bytesPerThread)
  }

  @Test func whatOutlivesAMicroBatchIsRefused() throws {
    let options = Compiler.Options(threads: 2, microBatch: 1)
    var program = try Compiler.compile(SmallAttack().graph, options: options).program
    try program.verify()
    let place = try #require(
      program.buffers.indices.first {
        if case .region(_, bySlice: true) = program.buffers[$0].placement { true } else { false }
      })
    program.buffers[place].lifetime = 0...program.instructions.count - 1
    #expect(throws: IRError.self) { try program.verify() }
  }

  @Test func sharedRegionsAreRefused() throws {
    var program = try Compiler.compile(SmallAttack().graph, options: .init(threads: 2)).program
    let place = try #require(
      program.instructions.firstIndex { instruction in
        instruction.operands.contains {
          if case .region = program.buffers[$0.buffer].placement { true } else { false }
        }
      })
    for index in program.instructions[place].operands.indices {
      program.instructions[place].operands[index].sliced = false
    }
    #expect(throws: IRError.self) { try program.verify() }
  }

  @Test func memoryStaysNearItsLowerBound() throws {
    let program = try Compiler.compile(SmallAttack().graph, options: .init(threads: 2)).program
    #expect(program.memoryRatio < 1.25)
    try program.verify()
  }

  @Test func weightsAreRefoldedAfterAChange() throws {
    let attack = try SmallAttack()
    let store = try attack.store()
    let program = try Compiler.compile(attack.graph, options: .init(threads: 2)).program
    let executable = try Executable(program, store: store)
    executable.run()
    let before = try executable.floats("loss")
    let weight = try store.tensor("linear.weight", TensorType(.f32, [10, 16]))
    for index in weight.floats.indices { weight.floats[index] *= -3 }
    store.weightsChanged()
    executable.run()
    let after = try executable.floats("loss")
    #expect(after != before)
    let fresh = try Executable(program, store: store)
    fresh.run()
    #expect(try fresh.floats("loss") == after)
  }

  @Test func wrongTypesInTheStoreAreRefused() throws {
    let attack = try SmallAttack()
    let store = try attack.store()
    let program = try Compiler.compile(attack.graph, options: .init(threads: 1)).program
    let other = TensorStore()
    try other.tensor("x", .f32(1, 2, 3))
    #expect(throws: IRError.self) { try Executable(program, store: other) }
    _ = try Executable(program, store: store)
  }

  @Test func profileTimesEveryInstruction() throws {
    let attack = try SmallAttack()
    let program = try Compiler.compile(attack.graph, options: .init(threads: 2)).program
    let executable = try Executable(program, store: attack.store())
    executable.isProfiling = true
    executable.run()
    #expect(executable.profile.count == program.instructions.count)
    #expect(executable.profile.reduce(0, +) > 0)
  }
}
