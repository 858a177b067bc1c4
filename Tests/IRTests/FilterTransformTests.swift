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
}
