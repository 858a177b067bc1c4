extension OpRegistry {
  static let fusedOps: [OpDef] = [fused]

  /// A region run in one pass over its images; made by the pass `fuseElementwise`.
  private static let fused = OpDef(
    "fused", attributes: [AttributeSpec("body", .region)],
    samples: [
      sample(
        [activation, .f32(17), .f32(3, 17), .f32(3)],
        [
          ("bias_add", [0, 1], [activation]), ("silu", [4], [activation]),
          ("image_scale", [5, 2], [activation]), ("image_shift", [6, 3], [activation]),
          ("image_sum", [6], [.f32(3)]), ("image_channel_sum", [5], [.f32(3, 17)]),
        ], yields: [5, 7, 8, 9]),
      sample(
        [.f32(2, 3, 3, 9), TensorType(.bits, [2, 3, 3, 9]), .f32(2, 3, 3, 9)],
        [
          ("mask", [0, 1], [.f32(2, 3, 3, 9)]), ("add", [3, 2], [.f32(2, 3, 3, 9)]),
          ("relu_bits", [4], [.f32(2, 3, 3, 9), TensorType(.bits, [2, 3, 3, 9])]),
        ], yields: [5, 6]),
    ],
    infer: { types in
      guard let region = types.attributes.region("body") else { throw IRError("has no body") }
      try types.expectCount(region.parameterCount)
      for index in types.operands.indices {
        try types.expect(index, region.values[index], "as the region's parameter")
      }
      try check(region)
      return region.results.map(region.type)
    },
    reference: { call in
      guard let region = call.attributes.region("body") else { throw IRError("has no body") }
      let inputs = Dictionary(
        uniqueKeysWithValues: call.inputs.enumerated().map { ("\($0)", $1) })
      let outputs = try Interpreter(region.graph).run(inputs: inputs)
      return region.results.indices.map { outputs["\($0)"] ?? [] }
    })

  private static func check(_ region: Region) throws {
    try Verifier.verify(region.graph)
    for node in region.nodes where try !definition(node.op).fusion.isFusable {
      throw IRError("\(node.op) cannot be part of a region")
    }
    guard !region.results.isEmpty else { throw IRError("a region must yield something") }
    for result in region.results where result.index < region.parameterCount {
      throw IRError("a region cannot yield its parameter \(result)")
    }
    _ = try RegionLayout(region)
  }

  private static let activation = TensorType.f32(3, 2, 2, 17)

  /// A region written out: a builder would look up operations while the list of them is made.
  private static func sample(
    _ operands: [TensorType],
    _ nodes: [(op: String, operands: [Int], results: [TensorType])], yields: [Int]
  ) -> OpSample {
    var body = Graph(name: "region")
    func define(_ type: TensorType) -> ValueID {
      body.values.append(ValueInfo(type: type, stage: nil))
      return ValueID(body.values.count - 1)
    }
    body.inputs = operands.enumerated().map {
      GraphInput(value: define($1), name: "\($0)", role: .data)
    }
    for (op, inputs, results) in nodes {
      body.nodes.append(
        Node(
          op: op, operands: inputs.map(ValueID.init), results: results.map(define),
          attributes: [:]))
    }
    body.outputs = yields.enumerated().map { GraphOutput(name: "\($0)", value: ValueID($1)) }
    return OpSample(operands, ["body": .region(Region(body))])
  }
}

extension Node {
  /// Pairs (result, operand) that may share memory. A region stores what has its domain's extents
  /// in its last pass, each element after it was read.
  public func inPlace() throws -> [(result: Int, operand: Int)] {
    guard let region = attributes.region("body") else {
      return try OpRegistry.definition(op).inPlace
    }
    let roles = try RegionLayout(region).roles
    func isFull(_ value: ValueID) -> Bool { roles[value.index] == .full }
    return region.results.indices.filter { isFull(region.results[$0]) }.flatMap { result in
      operands.indices.filter { isFull(ValueID($0)) }.map { (result: result, operand: $0) }
    }
  }
}
