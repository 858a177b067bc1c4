import Foundation
import IR

extension Program {
  /// The static schedule, readable: memory, then every instruction with its operands, slices and
  /// barriers.
  public var text: String {
    var lines = ["program @\(name) threads \(threads) {"]
    lines += header.names.map { "  // \($0) = \(header[$0]!)" }
    lines.append("  " + memorySummary)
    for section in sections where !section.instructions.isEmpty {
      let loop = section.repeats > 1 ? " repeat \(section.repeats)" : ""
      lines.append("  section \(section.stage.name)\(loop) {")
      for index in section.instructions { lines += describe(index) }
      lines.append("  }")
    }
    lines += outputs.map { output in
      let updates = output.updates.map { " updates \"\($0)\"" } ?? ""
      return "  output \"\(output.name)\" \(reference(output.buffer))\(updates)"
    }
    return (lines + ["}"]).joined(separator: "\n") + "\n"
  }

  /// Arena size, lower bound and their ratio, in one line.
  public var memorySummary: String {
    String(
      format: "arena %.1f MB, lower bound %.1f MB, ratio %.3f, external %.1f MB",
      Double(arenaBytes) / 1e6, Double(lowerBound) / 1e6, memoryRatio, Double(externalBytes) / 1e6)
  }

  /// The buffers of the arena by offset, with the instructions between which each is live.
  public var memoryText: String {
    let placed = buffers.compactMap { buffer -> (Int, Buffer)? in
      guard case .arena(let offset) = buffer.placement, buffer.lifetime != nil else { return nil }
      return (offset, buffer)
    }
    let rows = placed.sorted { ($0.0, $0.1.bytes) < ($1.0, $1.1.bytes) }.map { offset, buffer in
      String(
        format: "%12d %12d  %5d ... %-5d ", offset, buffer.bytes, buffer.lifetime!.lowerBound,
        buffer.lifetime!.upperBound) + buffer.name
    }
    return ([memorySummary, "      offset        bytes   live              value"] + rows)
      .joined(separator: "\n") + "\n"
  }

  private func describe(_ index: Int) -> [String] {
    let instruction = instructions[index]
    let operands = instruction.operands.map { operand in
      "@\(operand.access.rawValue) \(reference(operand))"
    }
    let bounds = instruction.bounds.map { "\($0)" }.joined(separator: ", ")
    let line =
      "    \(instruction.kernel) \(operands.joined(separator: ", ")) slices [\(bounds)]"
      + "  // \(instruction.origin)"
    return instruction.barrier ? ["    barrier", line] : [line]
  }

  /// A view as `%12 = %40@8192[32..<64]`: the value is channels 32 to 63 of what begins there.
  private func reference(_ operand: Operand) -> String {
    let whole = reference(operand.buffer)
    guard let view = operand.view else { return whole }
    return "\(view.name) = \(whole)[\(view.channels)]"
  }

  private func reference(_ buffer: Int) -> String {
    switch buffers[buffer].placement {
    case .arena(let offset): "\(buffers[buffer].name)@\(offset)"
    case .external(let name): "\"\(name)\""
    case .constant(let values): values.count == 1 ? "\(values[0])" : "constant[\(values.count)]"
    }
  }
}
