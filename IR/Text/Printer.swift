extension Graph {
  /// The text form (docs/ir.md). `Graph(parsing:)` reads it back: the same graph where the values
  /// have no gaps in their numbering, else `compacted()`.
  public var text: String {
    let printer = Printer(self)
    var lines = [printer.header]
    lines += printer.statements.map { "  " + $0.replacing("\n", with: "\n  ") }
    lines.append("}")
    return lines.joined(separator: "\n") + "\n"
  }

  /// The line of one node, for error messages.
  public func text(of node: Node) -> String { Printer(self).line(node) }
}

/// Writes the parts of a graph. Total: a graph that does not verify prints too, with `?` for the
/// type of a value that does not exist.
struct Printer {
  let graph: Graph

  init(_ graph: Graph) { self.graph = graph }

  var header: String {
    let attributes = graph.header.isEmpty ? "" : " \(Printer.attributes(graph.header))"
    return "graph @\(Printer.word(graph.name))\(attributes) {"
  }

  var statements: [String] {
    var lines = graph.inputs.map(line)
    lines += graph.nodes.map(line)
    lines += graph.taps.map { "tap \(Printer.quoted($0.name)) \($0.value)" }
    if let loop = graph.loop { lines.append(line(loop)) }
    lines += graph.outputs.map(line)
    return lines
  }

  func line(_ input: GraphInput) -> String {
    let name = Printer.quoted(input.name)
    return "input \(input.value) \(name) \(input.role.rawValue) : \(type(input.value))"
  }

  func line(_ node: Node) -> String {
    var text = Printer.list(node.results)
    if !node.results.isEmpty { text += " = " }
    text += Printer.word(node.op)
    if !node.operands.isEmpty { text += " \(Printer.list(node.operands))" }
    if !node.attributes.isEmpty { text += " \(Printer.attributes(node.attributes))" }
    if !node.results.isEmpty {
      text += " : \(node.results.map(type).joined(separator: ", "))"
    }
    return text
  }

  func line(_ loop: Loop) -> String {
    let carries = loop.carries.map { "\($0.input) from \($0.initial) next \($0.next)" }
    return "loop \(loop.steps) carry \(carries.joined(separator: ", "))"
  }

  func line(_ output: GraphOutput) -> String {
    let updates = output.updates.map { " updates \($0)" } ?? ""
    return "output \(Printer.quoted(output.name)) \(output.value)\(updates)"
  }

  private func type(_ value: ValueID) -> String {
    guard graph.values.indices.contains(value.index) else { return "?" }
    let info = graph.values[value.index]
    return info.type.description + (info.stage.map { " @\($0.name)" } ?? "")
  }

  private static func list(_ values: [ValueID]) -> String {
    values.map(\.description).joined(separator: ", ")
  }
}

extension Printer {
  static func attributes(_ attributes: Attributes) -> String {
    let entries = attributes.names.map { name in
      "\(word(name)) = \(attributes[name].map(Printer.attribute) ?? "")"
    }
    return "{\(entries.joined(separator: ", "))}"
  }

  static func attribute(_ attribute: Attribute) -> String {
    switch attribute {
    case .string(let value): quoted(value)
    case .floats(let values) where values.isEmpty: "floats[]"
    // Swift prints the shortest decimal that reads back as the same Double.
    case .bool, .int, .float, .ints, .floats, .region: attribute.description
    }
  }

  /// An identifier as it is, anything else quoted.
  static func word(_ text: String) -> String { Lexer.isIdentifier(text) ? text : quoted(text) }

  static func region(_ region: Region) -> String {
    let printer = Printer(region.graph)
    let parameters = (0..<region.parameterCount).map { "%\($0) : \(region.values[$0])" }
    var lines = ["(\(parameters.joined(separator: ", "))) {"]
    lines += region.nodes.map { "  " + printer.line($0) }
    lines.append("  yield \(list(region.results))")
    return (lines + ["}"]).joined(separator: "\n")
  }

  static func quoted(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": result += "\\\""
      case "\\": result += "\\\\"
      case "\n": result += "\\n"
      case "\t": result += "\\t"
      case _ where scalar.value < 0x20 || scalar.value == 0x7F:
        result += "\\u{\(String(scalar.value, radix: 16))}"
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }
}
