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
      for segment in section.segments {
        let body = segment.instructions.flatMap(describe)
        let isCut = segment.rounds > 1
        if isCut { lines.append("    segment rounds \(segment.rounds) {") }
        lines += isCut ? body.map { "  " + $0 } : body
        if isCut { lines.append("    }") }
      }
      lines.append("  }")
    }
    lines += outputs.map { output in
      let updates = output.updates.map { " updates \"\($0)\"" } ?? ""
      return "  output \"\(output.name)\" \(reference(output.buffer))\(updates)"
    }
    return (lines + ["}"]).joined(separator: "\n") + "\n"
  }

  /// Arena size, lower bound and their ratio, and how much of the arena threads have to themselves,
  /// in one line.
  public var memorySummary: String {
    let own = regions.bytes
    return String(
      format:
        "arena %.1f MB (%.1f MB of it threads' own), lower bound %.1f MB, ratio %.3f, "
        + "external %.1f MB", Double(arenaBytes) / 1e6, Double(own) / 1e6,
      Double(lowerBound) / 1e6, memoryRatio, Double(externalBytes) / 1e6)
  }

  /// The buffers of the arena by offset, with the instructions between which each is live, and the
  /// views into each. First what threads share, then what each has in its own region.
  public var memoryText: String {
    let views = viewNames
    func table(_ title: String, _ offset: (Placement) -> Int?) -> [String] {
      let placed = buffers.indices.compactMap { index -> (offset: Int, index: Int)? in
        guard buffers[index].lifetime != nil else { return nil }
        return offset(buffers[index].placement).map { ($0, index) }
      }
      guard !placed.isEmpty else { return [] }
      let rows = placed.sorted { ($0.0, buffers[$0.1].bytes) < ($1.0, buffers[$1.1].bytes) }
      return [title, "      offset        bytes   live              value"]
        + rows.map { offset, index in
          let (buffer, live) = (buffers[index], buffers[index].lifetime!)
          return String(
            format: "%12d %12d  %5d ... %-5d ", offset, buffer.bytes, live.lowerBound,
            live.upperBound) + ([buffer.name] + (views[index] ?? [])).joined(separator: " ")
        }
    }
    let shared = table("shared by threads:") { if case .arena(let at) = $0 { at } else { nil } }
    let own = table("in every thread's region (bytes of all \(regions.units) units):") {
      if case .region(let at, _) = $0 { at } else { nil }
    }
    return ([memorySummary] + shared + own).joined(separator: "\n") + "\n"
  }

  /// By buffer, the views into it as `%12[32..<64]`.
  private var viewNames: [Int: [String]] {
    var names: [Int: [String]] = [:]
    for operand in instructions.flatMap(\.operands) {
      guard let view = operand.view else { continue }
      let name = "\(view.name)[\(view.channels)]"
      if names[operand.buffer]?.contains(name) != true {
        names[operand.buffer, default: []].append(name)
      }
    }
    return names
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
    case .region(let offset, let bySlice):
      "\(buffers[buffer].name)@\(bySlice ? "slice" : "own")+\(offset)"
    case .external(let name): "\"\(name)\""
    case .constant(let values): values.count == 1 ? "\(values[0])" : "constant[\(values.count)]"
    }
  }
}
