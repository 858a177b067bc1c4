import IR

/// A graph in Graphviz's language: a box for each node with its operation and results, an edge for
/// each use; colours are stages.
struct Dot {
  let graph: Graph

  var text: String {
    var lines = ["digraph \(Dot.quoted(graph.name)) {", "  node [shape=box, fontname=\"sans\"];"]
    let producers = graph.definitions
    lines += graph.inputs.map { input in
      let label = "\(input.name)\\n\(input.role.rawValue) \(graph.type(input.value))"
      return "  v\(input.value.index) [label=\(Dot.quoted(label)), style=rounded];"
    }
    for (index, node) in graph.nodes.enumerated() {
      let types = node.results.map { "\($0): \(graph.type($0))" }.joined(separator: "\\n")
      lines.append(
        "  n\(index) [label=\(Dot.quoted("\(node.op)\\n\(types)"))\(Dot.colour(graph, node))];")
      lines += node.operands.map { "  \(source($0, producers)) -> n\(index);" }
    }
    for (index, output) in graph.outputs.enumerated() where output.updates == nil {
      lines.append("  o\(index) [label=\(Dot.quoted(output.name)), shape=oval];")
      lines.append("  \(source(output.value, producers)) -> o\(index);")
    }
    return (lines + ["}"]).joined(separator: "\n") + "\n"
  }

  private func source(_ value: ValueID, _ producers: [Int?]) -> String {
    producers[value.index].map { "n\($0)" } ?? "v\(value.index)"
  }

  private static func colour(_ graph: Graph, _ node: Node) -> String {
    guard let stage = node.results.first.flatMap(graph.stage) else { return "" }
    let colour =
      switch stage {
      case .weights: "lightyellow"
      case .updated: "khaki"
      case .batch: "lightblue"
      case .step: "mistyrose"
      case .after: "honeydew"
      }
    return ", style=filled, fillcolor=\(colour)"
  }

  private static func quoted(_ text: String) -> String {
    "\"" + text.replacing("\"", with: "\\\"") + "\""
  }
}
