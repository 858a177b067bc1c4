import Engine
import IR
import Testing

/// Convolutions that transform their filters on the way divide output channels among threads where
/// a block of the kernels holds the tiles of all images.
@Suite struct ChannelDivisionTests {
  /// Two 3x3 convolutions with a ReLU and a residual, and their input gradients.
  private func graph(images: Int, _ filters: FilterTransforms) throws -> Graph {
    let builder = GraphBuilder(name: "network")
    let x = try builder.input("x", .f32(images, 8, 8, 40), .data)
    let attributes: Attributes = [
      "algorithm": .string("winograd"), "filters": .string(filters.rawValue),
      "pad": .ints([1, 1]),
    ]
    let first = try builder.input("first", .f32(72, 40, 3, 3), .parameter)
    let second = try builder.input("second", .f32(40, 72, 3, 3), .parameter)
    let hidden = try builder.emitOne(
      "relu", [builder.emitOne("conv2d", [x, first], attributes)])
    let y = try builder.emitOne(
      "add", [builder.emitOne("conv2d", [hidden, second], attributes), x])
    builder.output("y", y)
    let back = attributes.merging(["input": .ints([8, 8])])
    let gradient = try builder.emitOne("conv2d_input_grad", [y, second], back)
    builder.output("gradient", try builder.emitOne("conv2d_input_grad", [gradient, first], back))
    return builder.graph
  }

  private func run(_ program: Program) throws -> [Float] {
    let store = TensorStore()
    for input in program.inputs where input.type.dtype == .f32 {
      let tensor = try store.tensor(input.name, input.type)
      for index in tensor.floats.indices {
        tensor.floats[index] = Float(index * 37 % 101 - 50) / 80
      }
    }
    let executable = try Executable(program, store: store)
    executable.run()
    return try executable.floats("y") + executable.floats("gradient")
  }

  private func convolutions(_ program: Program) -> [Program.Instruction] {
    program.instructions.filter { $0.kernel == "winograd" }
  }

  @Test func fewTilesDivideChannels() throws {
    let few = try Compiler.compile(graph(images: 16, .transient), options: .init(threads: 2))
    // Panels of sixteen channels: of 72 and 40 forward, of 72 and 40 backward.
    #expect(convolutions(few.program).map(\.units) == [5, 3, 5, 3])
    #expect(convolutions(few.program).dropFirst().allSatisfy { $0.barrier })
    for (images, filters) in [(17, FilterTransforms.transient), (16, .stored)] {
      let graph = try graph(images: images, filters)
      let program = try Compiler.compile(graph, options: .init(threads: 2)).program
      #expect(convolutions(program).map(\.units) == [images, images, images, images])
    }
  }

  @Test(arguments: [1, 5, 16]) func theBitsAreThoseOfImages(_ images: Int) throws {
    let stored = try Compiler.compile(graph(images: images, .stored), options: .init(threads: 2))
    let expected = try run(stored.program)
    #expect(expected.contains { $0 != 0 })
    for threads in 1...6 {
      let graph = try graph(images: images, .transient)
      let program = try Compiler.compile(graph, options: .init(threads: threads)).program
      #expect(try run(program) == expected, "\(threads) threads")
    }
  }
}
