/// Makes the requested features outputs named `features.<tap>`.
func insertTaps(_ graph: Graph, names: [String]) throws -> Graph {
  var graph = graph
  for name in names {
    guard let tap = graph.taps.first(where: { $0.name == name }) else {
      let known = graph.taps.map(\.name)
      let hint = nearest(to: name, in: known).map { "; did you mean '\($0)'?" } ?? ""
      throw IRError("no feature is named '\(name)'\(hint)")
    }
    graph.outputs.append(GraphOutput(name: "features.\(name)", value: tap.value))
  }
  return graph
}
