import IR

/// Lowers a graph to a program: schedule, buffers shared in place, memory plan, partition,
/// barriers.
struct ProgramBuilder {
  private let graph: Graph
  private let assignment: BufferAssignment
  private let order: [Node]
  private let code: [NodeCode]
  private var buffers: [Program.Buffer] = []
  private var bufferOfValue: [ValueID: Int] = [:]
  private var instructions: [Program.Instruction] = []
  private var sections: [Program.Section] = []

  /// - Throws: IRError where an operation has no kernel or the resulting program is inconsistent.
  static func program(_ graph: Graph, threads: Int, microBatch: Int) throws -> Program {
    var builder = try ProgramBuilder(graph)
    try builder.lower()
    let program = try builder.finish(threads: threads, microBatch: microBatch)
    try program.verify()
    return program
  }

  private init(_ graph: Graph) throws {
    self.graph = graph
    order = schedule(graph)
    code = try order.map { try NodeCode.lower($0, type: graph.type) }
    assignment = try BufferAssignment(graph, order: order, code: code)
  }

  private mutating func lower() throws {
    for input in graph.inputs where input.role != .carried {
      bufferOfValue[input.value] = newBuffer(
        input.name, graph.type(input.value).byteCount, .external(input.name))
    }
    for stage in Stage.allCases {
      let start = instructions.count
      for (node, code) in zip(order, code)
      where (node.results.first.flatMap { graph.stage($0) } ?? .batch) == stage {
        try lower(node, code)
      }
      for copy in assignment.copies where copy.stage == stage {
        let bytes = graph.type(copy.to).byteCount
        let call = KernelCall.copy(.value(copy.from), to: .value(copy.to), bytes: bytes)
        try append(call, temporaries: [], origin: "copy \(copy.from) to \(copy.to)")
      }
      let repeats = stage == .step ? graph.loop?.steps ?? 1 : 1
      sections.append(
        Program.Section(
          stage: stage, segments: [Program.Segment(instructions: start..<instructions.count)],
          repeats: repeats))
    }
  }

  private mutating func lower(_ node: Node, _ code: NodeCode) throws {
    for (result, values) in code.constants {
      bufferOfValue[result] = newBuffer("\(result)", values.count * 4, .constant(values))
    }
    if node.op == "pack_filters" {
      let bytes = try LoweringRules.packedBytes(node, graph.type(node.operands[0]))
      bufferOfValue[node.results[0]] = newBuffer("\(node.results[0])", bytes, .arena(offset: 0))
    }
    let temporaries = code.temporaries.enumerated().map { index, bytes in
      newBuffer("\(node.results[0]).t\(index)", bytes, .arena(offset: 0))
    }
    for call in code.calls where call.move.map(assignment.isInPlace) != true {
      try append(call, temporaries: temporaries, origin: origin(node))
    }
  }

  private func origin(_ node: Node) -> String {
    let results = node.results.map(\.description).joined(separator: ", ")
    let operands = node.operands.map(\.description).joined(separator: ", ")
    let body = node.attributes.region("body").map { region in
      "[" + region.nodes.map(\.op).joined(separator: ", ") + "]"
    }
    return "\(results) = \(node.op)\(body ?? "") \(operands)"
  }

  private mutating func newBuffer(
    _ name: String, _ bytes: Int, _ placement: Program.Placement
  ) -> Int {
    buffers.append(Program.Buffer(name: name, bytes: bytes, placement: placement, lifetime: nil))
    return buffers.count - 1
  }

  private mutating func buffer(of value: ValueID) -> Int {
    let root = assignment.buffer(of: value)
    if let known = bufferOfValue[root] { return known }
    let buffer = newBuffer("\(root)", graph.type(root).byteCount, .arena(offset: 0))
    bufferOfValue[root] = buffer
    return buffer
  }

  private mutating func append(
    _ call: KernelCall, temporaries: [Int], origin: String
  ) throws {
    let operands = call.operands.map { operand(of: $0, temporaries) }
    let bytes = operands.reduce(into: [Int: Int]()) { known, operand in
      let whole = buffers[operand.buffer].bytes
      let part = operand.view.map { whole / operand.stride * $0.channels.count } ?? whole
      known[operand.buffer] = max(known[operand.buffer] ?? 0, part)
    }.values.reduce(0, +)
    instructions.append(
      Program.Instruction(
        kernel: call.kernel, operands: operands, units: call.units, bounds: [], barrier: false,
        origin: origin, flops: call.flops, executedFlops: call.executedFlops ?? call.flops,
        bytes: Double(bytes), lanes: call.lanes,
        arguments: try KernelArguments(strides: operands.map(\.stride), call.arguments)))
  }

  private mutating func operand(
    of operand: CallOperand, _ temporaries: [Int]
  ) -> Program.Operand {
    switch operand.reference {
    case .temporary(let index):
      return Program.Operand(
        buffer: temporaries[index], access: operand.access, sliced: operand.sliced, stride: 0)
    case .value(let value):
      let (place, channels) = (assignment.place(of: value), graph.type(value).channels)
      let view = Program.View(
        name: "\(value)", channels: place.start..<place.start + channels)
      return Program.Operand(
        buffer: buffer(of: value), access: operand.access, sliced: operand.sliced,
        view: graph.type(place.base).channels == channels ? nil : view,
        stride: graph.type(place.base).pixelStride)
    }
  }

  private mutating func finish(threads: Int, microBatch: Int) throws -> Program {
    let outputs = graph.outputs.map { output in
      Program.Binding(
        name: output.name, type: graph.type(output.value), role: nil,
        buffer: buffer(of: output.value),
        updates: output.updates.flatMap { input in
          graph.inputs.first { $0.value == input }?.name
        })
    }
    let inputs = graph.inputs.filter { $0.role != .carried }.map { input in
      Program.Binding(
        name: input.name, type: graph.type(input.value), role: input.role,
        buffer: buffer(of: input.value), updates: nil)
    }
    var program = Program(
      name: graph.name, header: graph.header, threads: threads, buffers: buffers,
      instructions: instructions, sections: sections, inputs: inputs, outputs: outputs,
      arenaBytes: 0, lowerBound: 0)
    program.persistent = Set(outputs.map(\.buffer)).union(
      graph.loop?.carries.compactMap { bufferOfValue[$0.input] } ?? [])
    program.arrange(threads: threads, microBatch: microBatch)
    return program
  }
}
