import IR

typealias LoweringRule = @Sendable (NodeLowering) throws -> Void

/// The kernel calls of every operation, by name. An operation missing here cannot be executed.
enum LoweringRules {
  static let all: [String: LoweringRule] = [
    convolution, normalization, elementwise, pooling, rearrangement, losses, attacks, dropout,
    fused,
  ].reduce(into: withoutKernels) { all, family in all.merge(family) { _, new in new } }

  /// Operations that run in fused regions alone; a lone one is a region of its own.
  private static let withoutKernels = Dictionary(
    uniqueKeysWithValues: OpRegistry.all.filter(\.fusedOnly).map { ($0.name, single) })
}

/// Names of the operations that the engines can execute.
public let executableOperations: Set<String> = Set(LoweringRules.all.keys)

extension NodeCode {
  /// The kernel calls of a node.
  ///
  /// - Throws: IRError where the operation has no kernel.
  static func lower(_ node: Node, type: (ValueID) -> TensorType) throws -> NodeCode {
    guard let rule = LoweringRules.all[node.op] else {
      throw IRError("operation '\(node.op)' has no kernel")
    }
    let lowering = try NodeLowering(node, type: type)
    try rule(lowering)
    return lowering.code
  }
}
