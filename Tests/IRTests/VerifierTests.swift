import IR
import Testing

/// Each rule of the verifier, broken once.
@Suite struct VerifierTests {
  private func graph() throws -> Graph { try Graph(parsing: TextTests.attack) }

  private func expect(
    _ message: String, level: Verifier.Level = .graph, location: SourceLocation = #_sourceLocation,
    _ change: (inout Graph) -> Void
  ) throws {
    var graph = try graph()
    change(&graph)
    let error = #expect(throws: IRError.self, sourceLocation: location) {
      try Verifier.verify(graph, level: level)
    }
    #expect(
      error?.message.contains(message) == true, "\(error?.message ?? "no error")",
      sourceLocation: location)
  }

  @Test func showsTheNeighbourhood() throws {
    try expect(
      """
      mean: %8 is declared f32[2], must be f32[1]
         %4 = linear %3, %0 {epilogue = ""} : f32[4,2]
         %5, %6 = relu_bits %4 : f32[4,2], bits[4,2]
         %7 = cross_entropy %5, %2 : f32[4]
      -> %8 = mean %7 : f32[2]
         %9 = gradient %8, %3 : f32[4,3]
         %10 = sign_step %3, %9, %1 {eps = 0.25, high = 1.0, low = 0.0, step = 0.1} : f32[4,3]
      """
    ) { $0.values[8].type = .f32(2) }
  }

  @Test func values() throws {
    try expect("relu_bits: value %4 is defined twice") { $0.nodes[1].results[0] = ValueID(4) }
    try expect("input \"x\": value %0 is defined twice") { $0.inputs[1].value = ValueID(0) }
    try expect("input \"x\": value %-1 does not exist") { $0.inputs[1].value = ValueID(-1) }
    try expect("mean: value %99 does not exist") { $0.nodes[3].results[0] = ValueID(99) }
    try expect("linear: operand %8 is used before it is defined") {
      $0.nodes[0].operands[0] = ValueID(8)
    }
    try expect("linear: operand %99 is used before") { $0.nodes[0].operands[0] = ValueID(99) }
    try expect("no input and no node defines %11") { $0.values.append($0.values[0]) }
    try expect("f32[0,3] must have extents") { $0.values[0].type.shape[0] = 0 }
  }

  @Test func nodes() throws {
    try expect("unknown operation 'rely'; did you mean 'relu'?") { $0.nodes[1].op = "rely" }
    try expect("linear: attributes are incomplete") { $0.nodes[0].attributes = [:] }
    try expect("sign_step: attribute 'eps' (float) is missing") {
      $0.nodes[5].attributes["eps"] = nil
    }
    try expect("mean(f32[4,2]): operand 0 must have rank 1") { $0.nodes[3].operands = [ValueID(5)] }
    try expect("relu_bits: has 1 results, must have 2") { $0.nodes[1].results.removeLast() }
    try expect("cross_entropy(f32[4,2]): expected 2 operands, got 1") {
      $0.nodes[2].operands.removeLast()
    }
  }

  @Test func levels() throws {
    try Verifier.verify(graph())
    try expect("a gradient request remains", level: .differentiated) { _ in }
    try expect("relu_bits has no kernel", level: .selected(["linear"])) { _ in }
  }

  @Test func names() throws {
    try expect("two inputs are named \"w\"") { $0.inputs[1].name = "w" }
    try expect("two outputs are named \"w\"") { $0.outputs[0].name = "w" }
    try expect("two taps are named \"fc \"1\"\"") { $0.taps.append($0.taps[0]) }
  }

  @Test func ends() throws {
    try expect("output \"w\": value %50 is not defined") { $0.outputs[1].value = ValueID(50) }
    try expect("tap \"fc \"1\"\": value %50 is not defined") { $0.taps[0].value = ValueID(50) }
    try expect("output \"w\" updates %5, which is no input") { $0.outputs[1].updates = ValueID(5) }
    try expect("output \"w\" of f32[2,3] updates an input of f32[4,3]") {
      $0.outputs[1].updates = ValueID(1)
    }
    try expect("updates the carried input \"x_adv\"") { $0.outputs[0].updates = ValueID(3) }
    try expect("two outputs update the input \"w\"") {
      $0.outputs.append(GraphOutput(name: "w2", value: ValueID(0), updates: ValueID(0)))
    }
  }

  @Test func loops() throws {
    let carriedOnce = "the loop must carry every input of role carried once, and no other"
    try expect(carriedOnce) { $0.loop = nil }
    let carries = try graph().loop?.carries ?? []
    try expect(carriedOnce) { $0.loop?.carries = carries + carries }
    try expect(carriedOnce) { $0.inputs[3].role = .data }
    try expect(carriedOnce) { $0.inputs[1].role = .carried }
    try expect("the loop must run at least once") { $0.loop?.steps = 0 }
    try expect("%10 starts the loop but depends on it") {
      $0.loop?.carries[0].initial = ValueID(10)
    }
    try expect("%4 is carried to %3 but differs from it in type") {
      $0.loop?.carries[0].next = ValueID(4)
    }
    try expect("the loop: value %77 is not defined") { $0.loop?.carries[0].next = ValueID(77) }
    try expect("is carried but known only after the loop") { graph in
      let builder = GraphBuilder(extending: graph)
      guard let next = try? builder.emitOne("after_loop", [carries[0].next]) else { return }
      graph = builder.graph
      graph.loop?.carries[0].next = next
    }
  }

  @Test func stages() throws {
    let staged = try graph().withStages()
    try Verifier.verify(staged)
    func expect(_ message: String, _ change: (inout Graph) -> Void) throws {
      try self.expect(message) {
        $0 = staged
        change(&$0)
      }
    }
    try expect("linear: %4 is of stage batch, must be step") { $0.values[4].stage = .batch }
    try expect("linear: %4 has no stage, must be step") { $0.values[4].stage = nil }
    try expect("input \"x\" must be of stage batch") { $0.values[1].stage = .step }
  }
}
