import IR
import Testing

/// Which filters' Winograd transforms a program stores: 256 MiB of them at most, and the largest not
/// (decision 0010).
@Suite struct FilterTransformTests {
  /// By convolution in order, whether it makes its transforms on the way.
  ///
  /// - Parameter channels: of each convolution, into its output and of its input.
  private func isTransient(
    _ channels: [(out: Int, in: Int)], policy: ConvolutionPolicy = .winograd
  ) throws -> [Bool] {
    let builder = GraphBuilder(name: "convolutions")
    for (index, (out, inputs)) in channels.enumerated() {
      let x = try builder.input("x\(index)", .f32(1, 8, 8, inputs), .data)
      let filters = try builder.input("w\(index)", .f32(out, inputs, 3, 3), .parameter)
      builder.output(
        "y\(index)", try builder.emitOne("conv2d", [x, filters], ["pad": .ints([1, 1])]))
    }
    let request = CompileRequest(convolution: policy)
    let graph = try PassManager().run(builder.graph, Pipeline.passes(request)).graph
    let convolutions = graph.nodes.filter { $0.op == "conv2d" }
    let packed = convolutions.map { graph.type($0.operands[1]).dtype == .packed }
    let transient = convolutions.map {
      $0.attributes.string("filters") == FilterTransforms.transient.rawValue
    }
    #expect(zip(packed, transient).allSatisfy { $0 != $1 || policy == .direct })
    return transient
  }

  // 36 floats for a pair of channels: 36 MiB, of which seven fit, and 72 MiB.
  private let medium = (out: 512, in: 512)
  private let large = (out: 512, in: 1024)

  @Test func smallProgramsStoreAll() throws {
    #expect(try !isTransient(Array(repeating: medium, count: 7)).contains(true))
  }

  @Test func theLargestAreTransient() throws {
    #expect(
      try isTransient([medium, large, medium, medium, medium, medium, large])
        == [false, true, false, false, false, false, false])
    #expect(
      try isTransient([(64, 64), large, large, large, large, large])
        == [false, true, true, false, false, false])
  }

  @Test func ofEqualOnesTheFirst() throws {
    let transient = try isTransient(Array(repeating: medium, count: 9))
    #expect(transient == [true, true] + Array(repeating: false, count: 7))
  }

  @Test func directFiltersAreStored() throws {
    let many = Array(repeating: large, count: 5)
    #expect(try !isTransient(many, policy: .direct).contains(true))
  }

  /// A folded batch norm's scale goes into transient filters as they are read, forward and back, and
  /// no copy of the filters with it is left; stored ones are made of such a copy.
  @Test func transientFiltersTakeTheirScale() throws {
    let builder = GraphBuilder(name: "scaled")
    for index in 0..<5 {
      let x = try builder.input("x\(index)", .f32(1, 8, 8, large.in), .data)
      let dy = try builder.input("dy\(index)", .f32(1, 8, 8, large.out), .data)
      let filters = try builder.input("w\(index)", .f32(large.out, large.in, 3, 3), .parameter)
      let scale = try builder.input("s\(index)", .f32(large.in), .parameter)
      let scaled = try builder.emitOne("scale_filters", [filters, scale], ["axis": .int(1)])
      builder.output(
        "y\(index)", try builder.emitOne("conv2d", [x, scaled], ["pad": .ints([1, 1])]))
      let attributes: Attributes = ["pad": .ints([1, 1]), "input": .ints([8, 8])]
      builder.output(
        "dx\(index)", try builder.emitOne("conv2d_input_grad", [dy, scaled], attributes))
    }
    let graph = try PassManager().run(
      builder.graph, Pipeline.passes(CompileRequest(convolution: .winograd))
    ).graph
    let convolutions = graph.nodes.filter { $0.op.hasPrefix("conv2d") }
    let transient = convolutions.filter { graph.type($0.operands[1]).dtype == .f32 }
    #expect((convolutions.count, transient.count) == (10, 7))
    let names = Dictionary(uniqueKeysWithValues: graph.inputs.map { ($0.value, $0.name) })
    for node in transient {
      #expect(node.attributes.string("filter_scale") == FilterScale.inputs.rawValue)
      #expect(names[node.operands[1]]?.dropFirst() == names[node.operands[2]]?.dropFirst())
    }
    let copied = Set(
      graph.nodes.filter { $0.op == "pack_filters" }.map(\.operands[0]))
    #expect(graph.nodes.filter { $0.op == "scale_filters" }.count == copied.count)
    let text = graph.text
    #expect(try Graph(parsing: text).text == text)
  }

  @Test func onlyTransientFiltersHaveAScale() throws {
    let builder = GraphBuilder(name: "refused")
    let x = try builder.input("x", .f32(1, 8, 8, 16), .data)
    let filters = try builder.input("w", .f32(16, 16, 3, 3), .parameter)
    let scale = try builder.input("s", .f32(16), .parameter)
    let attributes: Attributes = [
      "pad": .ints([1, 1]), "algorithm": .string("winograd"), "filter_scale": .string("outputs"),
    ]
    #expect(throws: IRError.self) { try builder.emitOne("conv2d", [x, filters, scale], attributes) }
    #expect(throws: IRError.self) {
      try builder.emitOne(
        "conv2d", [x, filters],
        attributes.merging(["filters": .string("transient")]))
    }
    #expect(throws: IRError.self) {
      try builder.emitOne(
        "conv2d", [x, filters, scale],
        attributes.merging(["filters": .string("transient"), "filter_scale": .string("both")]))
    }
  }
}
