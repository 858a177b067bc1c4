/// Executes a graph node by node with the references of its operations, in double precision: slow,
/// and the oracle of everything that is fast.
///
/// The nodes of stage `step` run once for each step of the loop, the others once, before or after.
/// An output that changes from step to step has its value of the last step; the carried values
/// after it are the outputs whose value is the loop's `next`.
public struct Interpreter {
  public let graph: Graph
  private let definitions: [OpDef]
  /// Indices of the nodes that run before, in and after the loop.
  private let before, stepped, after: [Int]

  /// - Throws: IRError where the graph does not verify or holds a gradient request.
  public init(_ graph: Graph) throws {
    try Verifier.verify(graph, level: .differentiated)
    self.graph = graph
    definitions = try graph.nodes.map { try OpRegistry.definition($0.op) }
    let stages = graph.nodeStages
    before = stages.indices.filter { stages[$0] < .step }
    stepped = stages.indices.filter { stages[$0] == .step }
    after = stages.indices.filter { stages[$0] == .after }
  }

  /// The outputs by name.
  ///
  /// - Parameter inputs: every input but the carried ones, by name, in row-major order; i32 as
  ///   whole numbers, bits as 0 or 1.
  ///   Others are ignored: a pass may have removed the input that they are for.
  /// - Throws: IRError naming an input that is missing, of the wrong size or out of range.
  public func run(inputs: [String: [Double]]) throws -> [String: [Double]] {
    let values = try evaluate(inputs: inputs)
    return Dictionary(uniqueKeysWithValues: graph.outputs.map { ($0.name, values[$0.value] ?? []) })
  }

  /// The taps by name, in the last step of a loop. Inputs and errors as of `run`.
  public func taps(inputs: [String: [Double]]) throws -> [String: [Double]] {
    let values = try evaluate(inputs: inputs)
    return Dictionary(uniqueKeysWithValues: graph.taps.map { ($0.name, values[$0.value] ?? []) })
  }

  /// Every value, in the last step of a loop. Inputs and errors as of `run`.
  public func evaluate(inputs: [String: [Double]]) throws -> [ValueID: [Double]] {
    var values = try checked(inputs)
    for index in before { try execute(index, &values) }
    for step in 0..<(graph.loop?.steps ?? 0) {
      let carries = graph.loop?.carries ?? []
      let sources = carries.map { values[step == 0 ? $0.initial : $0.next] ?? [] }
      for (carry, source) in zip(carries, sources) { values[carry.input] = source }
      for index in stepped { try execute(index, &values) }
    }
    for index in after { try execute(index, &values) }
    return values
  }

  private func execute(_ index: Int, _ values: inout [ValueID: [Double]]) throws {
    let node = graph.nodes[index]
    let call = OpInvocation(
      types: OpTypes(operands: node.operands.map(graph.type), attributes: node.attributes),
      resultTypes: node.results.map(graph.type), inputs: node.operands.map { values[$0] ?? [] })
    let results: [[Double]]
    do {
      results = try definitions[index].reference(call)
    } catch let error as IRError {
      throw IRError("\(graph.text(of: node)): \(error.message)")
    }
    for (value, result) in zip(node.results, results) {
      guard result.count == graph.type(value).count else {
        throw IRError("\(node.op): the reference computed \(result.count) elements of \(value)")
      }
      values[value] = result
    }
  }

  private func checked(_ inputs: [String: [Double]]) throws -> [ValueID: [Double]] {
    var values: [ValueID: [Double]] = [:]
    for input in graph.inputs where input.role != .carried {
      let type = graph.type(input.value)
      guard let data = inputs[input.name] else {
        throw IRError("input \"\(input.name)\" (\(type)) is missing")
      }
      guard data.count == type.count else {
        throw IRError("input \"\(input.name)\" (\(type)) has \(data.count) elements")
      }
      guard data.allSatisfy(type.dtype.holds) else {
        throw IRError("input \"\(input.name)\" has an element that is no \(type.dtype)")
      }
      values[input.value] = data
    }
    return values
  }
}

extension DType {
  /// Whether an element may have this value.
  fileprivate func holds(_ value: Double) -> Bool {
    switch self {
    case .f32, .packed: true
    case .i32: Int32(exactly: value) != nil
    case .bits: value == 0 || value == 1
    }
  }
}
