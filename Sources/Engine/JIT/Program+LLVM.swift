import IR

extension Program {
  /// The LLVM IR of the fused regions, equal ones once, before LLVM's own passes; each under the
  /// instructions that run it.
  ///
  /// - Throws: IRError where LLVM is not installed.
  public func llvmText(for set: InstructionSet = .best) throws -> String {
    let compiler = try FusedCompiler.shared.get()
    var users: [LaneProgram: [String]] = [:]
    var order: [LaneProgram] = []
    for (index, instruction) in instructions.enumerated() {
      guard let lanes = instruction.lanes else { continue }
      if users[lanes] == nil { order.append(lanes) }
      users[lanes, default: []].append("; \(index) \(instruction.origin)\n")
    }
    if order.isEmpty { return "; \(name) has no fused regions\n" }
    return try order.map { try users[$0]!.joined() + compiler.text($0, set) }
      .joined(separator: "\n")
  }
}
