import IR
import Kernels

/// Executes single nodes at once, each on fresh memory and in a parallel region of its own: what a
/// define-by-run framework does with the same kernels.
public final class NodeRunner {
  public let threads: Int
  public let instructionSet: InstructionSet
  public let convolution: ConvolutionPolicy
  private let scratch: [UnsafeMutableRawPointer?]

  public init(
    threads: Int, instructionSet: InstructionSet = .best, convolution: ConvolutionPolicy = .auto
  ) {
    self.threads = threads
    self.instructionSet = instructionSet
    self.convolution = convolution
    scratch = (0..<threads).map { _ in
      .allocate(byteCount: Int(CLAT_SCRATCH_BYTES), alignment: 64)
    }
  }

  deinit { scratch.forEach { $0?.deallocate() } }

  /// The results of a node.
  ///
  /// - Throws: IRError where the operation has no kernel.
  public func run(
    _ node: Node, type: (ValueID) -> TensorType, operand: (ValueID) -> Tensor?
  ) throws -> [Tensor] {
    let node = try convolution.select(node, node.operands.map(type))
    let code = try NodeCode.lower(node, type: type)
    var results: [ValueID: Tensor] = [:]
    for (result, values) in code.constants { results[result] = constant(type(result), values) }
    for (result, source) in code.aliases {
      results[result] = try copy(operand(source), as: type(result))
    }
    for result in node.results where results[result] == nil {
      results[result] = Tensor(uninitialized: type(result), bytes: try bytes(node, result, type))
    }
    let temporaries = code.temporaries.map {
      Tensor(uninitialized: TensorType(.f32, [$0 / 4]), bytes: $0)
    }
    try execute(code.calls) { reference in
      switch reference {
      case .value(let value): results[value] ?? operand(value)
      case .temporary(let index): temporaries[index]
      }
    }
    return node.results.map { results[$0]! }
  }

  private func bytes(_ node: Node, _ result: ValueID, _ type: (ValueID) -> TensorType) throws -> Int
  {
    node.op == "pack_filters"
      ? try LoweringRules.packedBytes(node, type(node.operands[0])) : type(result).byteCount
  }

  private func constant(_ type: TensorType, _ values: [Float]) -> Tensor {
    let tensor = Tensor(uninitialized: type, bytes: type.byteCount)
    _ = tensor.floats.update(from: values)
    return tensor
  }

  private func copy(_ source: Tensor?, as type: TensorType) throws -> Tensor {
    guard let source else { throw IRError("an operand has no value") }
    let tensor = Tensor(uninitialized: type, bytes: type.byteCount)
    tensor.pointer.copyMemory(from: source.pointer, byteCount: type.byteCount)
    return tensor
  }

  private func execute(_ calls: [KernelCall], _ tensor: (OperandReference) -> Tensor?) throws {
    for call in calls {
      let addresses = try call.operands.map { operand in
        guard let tensor = tensor(operand.reference) else {
          throw IRError("\(call.kernel): an operand has no value")
        }
        return Optional(tensor.pointer)
      }
      let kernel = try instructionSet.kernel(call.kernel, call.lanes, .preferred)
      let strides = call.operands.map { tensor($0.reference)?.type.pixelStride ?? 0 }
      let block = ArgumentBlock(
        try KernelArguments(strides: strides, call.arguments), addresses)
      Team.run(kernel, block, units: call.units, threads: threads, scratch: scratch)
    }
  }
}
