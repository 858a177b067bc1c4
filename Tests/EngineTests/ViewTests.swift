import Engine
import IR
import TestSupport
import Testing

/// Parts of a concatenation are written inside it, and slices are read where they lie.
@Suite struct ViewTests {
  private func check(
    _ graph: Graph, _ set: InstructionSet = .best, threads: Int = 3, sample: OpSample? = nil,
    what: String
  ) throws -> Program {
    let inputs = graph.inputs.enumerated().map { index, input in
      randomValues(
        graph.type(input.value), seed: UInt64(31 + index),
        positive: Int(input.name).map { sample?.positive.contains($0) == true } ?? false,
        integerBound: sample?.integerBound ?? 2)
    }
    let named = Dictionary(
      uniqueKeysWithValues: zip(graph.inputs, inputs).map { input, values in
        (input.name, values.map { Double(Float($0)) })
      })
    let compiled = try Compiler.compile(graph, options: .init(threads: threads))
    let expected = try Interpreter(compiled.graph).run(inputs: named)
    let executable = try Executable(
      compiled.program, store: try store(graph, inputs), instructionSet: set)
    executable.run()
    for output in graph.outputs where graph.type(output.value).dtype != .packed {
      let (type, bytes) = try executable.output(output.name)
      expectClose(
        readValues(type, bytes), expected[output.name]!, "\(what) \(set) \(output.name)",
        tolerance: 1e-4)
    }
    return compiled.program
  }

  /// Every operation with all of its activations in slabs: read from slices, written into a
  /// concatenation.
  @Test(arguments: OperationTests.executable) func operationsStepOverOtherChannels(
    _ name: String
  ) throws {
    let definition = try OpRegistry.definition(name)
    for sample in definition.samples {
      let builder = GraphBuilder(name: name)
      let operands = try sample.operands.enumerated().map { index, type in
        guard type.dtype == .f32, type.rank == 2 || type.rank == 4 else {
          return try builder.input("\(index)", type, .data)
        }
        let wide = TensorType(.f32, type.shape.dropLast() + [type.channels + 5])
        let input = try builder.input("\(index)", wide, .data)
        // A copy, because a view of an input would not live in a slab of the arena.
        let slab = try builder.emitOne("scale", [input], ["factor": .float(1.5)])
        return try builder.emitOne(
          "slice_channels", [slab], ["start": .int(3), "count": .int(type.channels)])
      }
      let results = try builder.emit(name, operands, sample.attributes)
      for (index, result) in results.enumerated() {
        let type = builder.graph.type(result)
        guard type.dtype == .f32, type.rank == 2 || type.rank == 4 else {
          builder.output("\(index)", result)
          continue
        }
        let before = TensorType(.f32, type.shape.dropLast() + [2])
        let other = try builder.input("other\(index)", before, .data)
        let negated = try builder.emitOne("scale", [other], ["factor": .float(-1)])
        builder.output("\(index)", try builder.emitOne("concat", [negated, result, negated]))
      }
      for set in InstructionSet.allCases where set.isSupported {
        _ = try check(builder.graph, set, sample: sample, what: name)
      }
    }
  }

  /// A block of DenseNet and its gradient: nothing is copied.
  @Test func denseBlocksCopyNothing() throws {
    let builder = GraphBuilder(name: "dense")
    let x = try builder.input("x", .f32(5, 4, 4, 3), .data)
    var slab = try builder.emitOne("scale", [x], ["factor": .float(2)])
    for layer in 0..<4 {
      let channels = builder.graph.type(slab).channels
      let filters = try builder.input(
        "w\(layer)", TensorType(.f32, [2, channels, 3, 3]), .parameter)
      let new = try builder.emitOne(
        "conv2d", [builder.emitOne("relu", [slab]), filters], ["pad": .ints([1, 1])])
      slab = try builder.emitOne("concat", [new, slab])
    }
    let flat = try builder.emitOne("flatten", [slab])
    let zero = try builder.emitOne("scale", [flat], ["factor": .float(0)])
    let distance = try builder.emitOne("feature_distance", [flat, zero])
    let loss = try builder.emitOne("mean", [distance])
    builder.output("loss", loss)
    builder.output("dx", try builder.emitOne("gradient", [loss, x]))
    let program = try check(builder.graph, what: "dense")
    let origins = program.instructions.map(\.origin)
    #expect(!origins.contains { $0.contains("concat") || $0.contains("slice_channels") })
    #expect(program.text.contains("..<11]"))
    #expect(program.memoryText.contains("..<11]"))
  }

  /// Random graphs of concatenations, slices and element-wise work give the interpreter's values,
  /// however their values share buffers, and their plans are sound.
  @Test(arguments: 0..<60) func randomGraphsOfViewsAreSound(_ seed: Int) throws {
    var draws = Draws(seed: UInt64(1000 + seed))
    let builder = GraphBuilder(name: "random")
    var pool = try (0..<3).map { index in
      try builder.input("x\(index)", .f32(4, 2, 3, 3 + index), .data)
    }
    for _ in 0..<24 {
      let value = pool[draws.next(below: pool.count)]
      let type = builder.graph.type(value)
      let same = pool.filter { builder.graph.type($0) == type }
      let other = same[draws.next(below: same.count)]
      switch draws.next(below: 6) {
      case 0, 1:
        let parts = (0..<2).map { _ in pool[draws.next(below: pool.count)] } + [value]
        guard parts.reduce(0, { $0 + builder.graph.type($1).channels }) < 60 else { continue }
        pool.append(try builder.emitOne("concat", parts))
      case 2:
        let start = draws.next(below: type.channels)
        let count = 1 + draws.next(below: type.channels - start)
        pool.append(
          try builder.emitOne(
            "slice_channels", [value], ["start": .int(start), "count": .int(count)]))
      case 3: pool.append(try builder.emitOne("relu", [value]))
      case 4: pool.append(try builder.emitOne("add", [value, other]))
      default: pool.append(try builder.emitOne("multiply", [value, other]))
      }
    }
    for (index, value) in pool.suffix(3).enumerated() { builder.output("\(index)", value) }
    try check(builder.graph, threads: 1 + seed % 4, what: "graph \(seed)").verify()
  }
}
