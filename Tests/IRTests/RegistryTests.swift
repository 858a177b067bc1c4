import IR
import TestSupport
import Testing

/// What holds for every operation, tried on its samples.
@Suite struct RegistryTests {
  /// Every operation that can be executed.
  static let operations = OpRegistry.all.map(\.name).filter { $0 != "gradient" }

  private func samples(_ name: String) throws -> (OpDef, [OpSample]) {
    let definition = try OpRegistry.definition(name)
    return (definition, definition.samples)
  }

  @Test(arguments: operations) func hasSamplesThatVerify(_ name: String) throws {
    let (definition, samples) = try samples(name)
    #expect(!samples.isEmpty)
    for sample in samples {
      try Verifier.verify(Graph(of: definition, sample), level: .selected([name]))
    }
  }

  @Test(arguments: operations) func textRoundTrips(_ name: String) throws {
    let (definition, samples) = try samples(name)
    for sample in samples {
      let graph = try Graph(of: definition, sample)
      #expect(try Graph(parsing: graph.text) == graph)
      #expect(try Graph(parsing: graph.withStages().text) == graph.withStages())
    }
  }

  @Test(arguments: operations) func referenceFillsItsResults(_ name: String) throws {
    let (definition, samples) = try samples(name)
    for sample in samples {
      let graph = try Graph(of: definition, sample)
      let inputs = Dictionary(
        uniqueKeysWithValues: zip(graph.inputs.map(\.name), randomInputs(sample, seed: 1)))
      let outputs = try Interpreter(graph).run(inputs: inputs)
      for output in graph.outputs {
        let values = try #require(outputs[output.name])
        #expect(values.count == graph.type(output.value).count)
        #expect(values.allSatisfy { $0.isFinite })
      }
    }
  }

  @Test(arguments: operations) func costIsPositive(_ name: String) throws {
    let (definition, samples) = try samples(name)
    for sample in samples {
      let attributes = try definition.complete(sample.attributes)
      let results = try definition.inferResults(sample.operands, attributes)
      let cost = definition.cost(sample.operands, attributes, results)
      #expect(cost.flops > 0 && cost.bytes > 0)
      let bytes = (sample.operands + results).reduce(0) { $0 + $1.byteCount }
      #expect(cost.bytes == Double(bytes))
    }
  }

  /// One operand too few, too many, of another dtype, rank or extent: refused, and the operation is
  /// named.
  @Test(arguments: operations) func refusesWrongOperands(_ name: String) throws {
    let (definition, samples) = try samples(name)
    for sample in samples {
      let attributes = try definition.complete(sample.attributes)
      for (what, operands) in wrongOperands(sample.operands, name) {
        let error = #expect(throws: IRError.self, "\(name) accepts \(what): \(operands)") {
          try definition.inferResults(operands, attributes)
        }
        #expect(error?.message.hasPrefix("\(name)(") == true, "\(error?.message ?? "")")
      }
    }
  }

  private func wrongOperands(
    _ operands: [TensorType], _ name: String
  ) -> [(what: String, operands: [TensorType])] {
    var wrong: [(String, [TensorType])] = []
    if !(name == "concat") {
      wrong.append(("one operand too many", operands + [.f32(1)]))
      if !operands.isEmpty {
        wrong.append(("one operand too few", Array(operands.dropLast())))
        wrong.append(("no operand", []))
      }
    }
    for index in operands.indices {
      for dtype in [DType.i32, .bits] where dtype != operands[index].dtype {
        var changed = operands
        changed[index].dtype = dtype
        wrong.append(("\(dtype) in place \(index)", changed))
      }
      for shape in [[], [0]] {
        var changed = operands
        changed[index].shape = shape
        wrong.append(("shape \(shape) in place \(index)", changed))
      }
    }
    return wrong
  }

  /// Operands that must agree in shape with another one: one extent more is refused.
  @Test(arguments: operations) func refusesShapesThatDisagree(_ name: String) throws {
    let (definition, samples) = try samples(name)
    for sample in samples where sample.operands.count > 1 {
      let attributes = try definition.complete(sample.attributes)
      var refused = 0
      for index in sample.operands.indices {
        for axis in sample.operands[index].shape.indices {
          var operands = sample.operands
          operands[index].shape[axis] += 1
          do {
            _ = try definition.inferResults(operands, attributes)
          } catch let error as IRError {
            #expect(error.message.hasPrefix("\(name)("))
            refused += 1
          }
        }
      }
      #expect(refused > 0)
    }
  }

  /// A hostile whole number in an attribute is refused or harmless, never a trap.
  @Test(arguments: operations) func survivesHostileAttributes(_ name: String) throws {
    let (definition, samples) = try samples(name)
    let hostile = [Int.min, -1, 0, 1 << 31, (1 << 31) - 1, -(1 << 31), .max]
    for (sample, value) in samples.flatMap({ sample in hostile.map { (sample, $0) } }) {
      for spec in definition.attributes {
        var attributes = try definition.complete(sample.attributes)
        switch spec.kind {
        case .int: attributes[spec.name] = .int(value)
        case .ints:
          attributes[spec.name] = .ints(attributes.ints(spec.name).map { _ in value })
        default: continue
        }
        guard let results = try? definition.inferResults(sample.operands, attributes) else {
          continue
        }
        for type in results { try type.check() }
        #expect(definition.cost(sample.operands, attributes, results).flops >= 0)
      }
    }
  }

  @Test func attributesAreChecked() throws {
    let definition = try OpRegistry.definition("scale")
    #expect(throws: IRError("scale: attribute 'factor' (float) is missing")) {
      try definition.complete([:])
    }
    #expect(throws: IRError("scale: attribute 'factor' must be float, is string")) {
      try definition.complete(["factor": .string("2")])
    }
    #expect(throws: IRError("scale: unknown attribute 'facto'; known: factor")) {
      try definition.complete(["factor": .float(2), "facto": .float(2)])
    }
    #expect(throws: IRError("unknown operation 'scal'; did you mean 'scale'?")) {
      try OpRegistry.definition("scal")
    }
  }
}
