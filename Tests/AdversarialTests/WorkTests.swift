import Engine
import IR
import Models
import Storage
import Testing

@testable import Adversarial

/// What compiling removes: the work that a selection of layers makes needless.
@Suite struct WorkTests {
  private func compiled(_ key: ProgramKey, batch: Int = 2) throws -> Graph {
    let model = try Model(ModelSpec("resnet18:width=4"), imageShape: (32, 32, 3), classes: 10)
    let graph = try key.graph(model, batch: batch)
    return try Compiler.compile(graph, key.request(model), options: .init(threads: 1)).graph
  }

  private func count(_ graph: Graph, _ op: String, _ stage: Stage) -> Int {
    graph.nodes.count { $0.op == op && $0.results.first.flatMap(graph.stage) == stage }
  }

  @Test func innerMaximisationEndsAtTheLastTap() throws {
    let graph = try compiled(.attack(.paper, .features(layers: [1, 2])))
    #expect(count(graph, "conv2d", .batch) == 3)
    #expect(count(graph, "conv2d", .step) == 3)
    #expect(count(graph, "conv2d_input_grad", .step) == 3)
    #expect(!graph.nodes.contains { $0.op == "conv2d_weight_grad" || $0.op == "batch_norm" })
  }

  @Test func updateGoesBackNoFartherThanTheFirstSelectedLayer() throws {
    let last = try compiled(.clat(layers: [16], .init(), .init()))
    #expect(count(last, "conv2d_weight_grad", .batch) == 2)
    #expect(count(last, "conv2d_input_grad", .batch) == 0)
    #expect(last.nodes.count { $0.op == "sgd" } == 1)
    let detached = try compiled(.clat(layers: [3], .init(detachClean: true), .init()))
    // The clean branch for the cross entropy, the other up to the tap of layer 3.
    #expect(count(detached, "conv2d_weight_grad", .batch) == 2)
    let terms = try compiled(.clatTerms(layers: [3], .init()))
    #expect(!terms.nodes.contains { $0.op.hasSuffix("_grad") || $0.op == "sgd" })
  }

  /// The clean images go through the network once, before the attack; after it only the adversarial
  /// ones do, up to the last tap, and the gradients of both come back to the first selected layer.
  @Test func wholeStepsShareTheCleanPass() throws {
    let graph = try compiled(.clat(layers: [1, 2], .init(), .init(), attack: .paper))
    #expect(count(graph, "conv2d", .batch) == 20)
    #expect(count(graph, "conv2d", .step) == 3)
    #expect(count(graph, "conv2d", .after) == 3)
    #expect(count(graph, "conv2d_input_grad", .step) == 3)
    // From the cross entropy to layer 2 the gradient does not depend on the attack.
    #expect(count(graph, "conv2d_input_grad", .batch) == 17)
    #expect(count(graph, "conv2d_input_grad", .after) == 2)
    #expect(count(graph, "sgd", .after) == 2)
  }

  /// No image sees another in the attack of a step: threads meet nowhere in its loop.
  @Test(arguments: ["resnet18:width=4", "wrn-16-2", "densenet121:growth=4"])
  func theLoopOfAStepHasNoBarriers(_ spec: String) throws {
    let model = try Model(ModelSpec(spec), imageShape: (32, 32, 3), classes: 10)
    let last = model.units.count - 1
    let key = ProgramKey.clat(layers: [1, last / 2], .init(), .init(), attack: .paper)
    let program = try Compiler.compile(
      key.graph(model, batch: 6), key.request(model), options: .init(threads: 2)).program
    let step = try #require(program.sections.first { $0.stage == .step })
    #expect(step.repeats == 10 && step.instructions.count > 10)
    #expect(program.instructions[step.instructions].count { $0.barrier } == 0)
    #expect(program.regions.units == 6)
  }

  @Test func attacksLeaveTheModelAlone() throws {
    for mode in [BatchNormMode.eval, .train] {
      var attack = Attack.paper
      attack.batchNorm = mode
      let graph = try compiled(.attack(attack, .crossEntropy))
      #expect(graph.outputs.map(\.name) == ["x_adv"])
      #expect(graph.outputs.allSatisfy { $0.updates == nil })
    }
  }

  @Test func singleStepAttacksKeepTheirBudget() throws {
    for attack in [Attack.fgsm(eps: 0.1), .fgsmRandomStart(eps: 0.1)] {
      for mode in [BatchNormMode.eval, .train] {
        var attack = attack
        attack.batchNorm = mode
        let session = try digitsSession()
        let before = try session.contentHash(except: [])
        let x = try session.images("x", 64)
        try session.attack(
          attack, batch: 64, stream: RandomStream(seed: 1, epoch: 0, purpose: .evaluation))
        let moved = try session.images("x_adv", 64)
        let distances = zip(x.floats, moved.floats).map { abs($0 - $1) }
        #expect(distances.allSatisfy { $0 <= 0.1 + 1e-6 })
        #expect(distances.count { $0 > 0.09 } > 1000)
        #expect(moved.floats.allSatisfy { (0...1).contains($0) })
        #expect(try session.contentHash(except: []) == before)
      }
    }
  }

  @Test func distancesShowBothForms() throws {
    #expect(Epsilon(text: "8/255")?.description == "8/255 = 0.03137")
    #expect(Epsilon(0.03).description == "0.03 = 7.65/255")
    #expect(
      Epsilon(text: "8/0") == nil && Epsilon(text: "") == nil && Epsilon(text: "1/2/3") == nil)
  }

  @Test func layoutsInvertEachOther() {
    let values = Array(0..<2 * 3 * 4 * 5)
    let planar = ImageLayout.planar(values, height: 3, width: 4, channels: 5)
    #expect(Array(planar[0..<3]) == [0, 5, 10])
    #expect(ImageLayout.interleaved(planar, height: 3, width: 4, channels: 5) == values)
  }

  @Test func checkpointsServeAsWeights() throws {
    let session = try digitsSession()
    var tensors = try session.storedTensors()
    let other = try digitsSession(trained: false)
    func load(_ tensors: [StoredTensor]) throws {
      try other.load(WeightFile(file: "f", tensors))
    }
    try load(tensors + [tensors[0].renamed("optimizer.conv1.weight")])
    #expect(try other.contentHash(except: []) == session.contentHash(except: []))
    try load(tensors.map { $0.renamed("module.\($0.name)") })
    tensors.append(tensors[0].renamed("conv1.wieght"))
    #expect(
      message { try load(tensors) }
        == "f: does not fit small-cnn:width=4: 1 unexpected: conv1.wieght")
    #expect(message { try load([]) }.contains("17 missing: conv1.weight"))
  }
}
