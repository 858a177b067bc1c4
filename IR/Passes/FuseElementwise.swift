/// Groups element-wise work for which there is no kernel, with the element-wise work around it,
/// into `fused` regions, so that each tensor is read and written once.
///
/// A region lies on one domain and one stage, and no value leaves it that comes back. Element-wise
/// work that kernels do at least as well stays where it is (docs/decisions).
func fuseElementwise(_ graph: Graph) throws -> Graph {
  var fusion = try ElementwiseFusion(graph)
  fusion.grow()
  return try eliminateDead(fusion.fused().topologicallySorted())
}

/// Where more would not fit the kernels' tables.
private let maximumNodes = 48
private let maximumOperands = 16

private struct ElementwiseFusion {
  let graph: Graph
  private let definitions: [OpDef]
  private let uses: [[Int]]
  private let definedBy: [Int?]
  /// The group of every node, named by its first member; nil for what cannot be fused.
  private var group: [Int?]
  private var members: [Int: [Int]] = [:]

  init(_ graph: Graph) throws {
    self.graph = graph
    definitions = try graph.nodes.map { try OpRegistry.definition($0.op) }
    uses = graph.uses
    definedBy = graph.definitions
    group = graph.nodes.indices.map { [definitions] in
      definitions[$0].fusion.isFusable ? $0 : nil
    }
    for index in group.indices where group[index] != nil { members[index] = [index] }
  }

  /// Merges every node's group with those of its operands, where that is allowed.
  mutating func grow() {
    var changed = true
    while changed {
      changed = false
      for index in graph.nodes.indices {
        for operand in graph.nodes[index].operands {
          guard let producer = definedBy[operand.index], let first = group[producer],
            let second = group[index], first != second, mayMerge(first, second)
          else { continue }
          merge(first, second)
          changed = true
        }
      }
    }
  }

  private mutating func merge(_ first: Int, _ second: Int) {
    let all = (members[first]! + members[second]!).sorted()
    members[first] = nil
    members[second] = nil
    members[all[0]] = all
    for index in all { group[index] = all[0] }
  }

  private func mayMerge(_ first: Int, _ second: Int) -> Bool {
    let nodes = (members[first]! + members[second]!).sorted()
    let stages = Set(nodes.map { graph.stage(graph.nodes[$0].results[0]) })
    guard nodes.count <= maximumNodes, stages.count == 1, needsRegion(nodes), isConvex(nodes)
    else { return false }
    let part = Part(graph, nodes)
    return part.operands.count + part.results.count <= maximumOperands
      && (try? RegionLayout(part.region)) != nil
  }

  private func needsRegion(_ nodes: [Int]) -> Bool {
    nodes.contains { definitions[$0].fusedOnly }
  }

  /// Whether no path leaves the nodes and comes back, other groups taken as wholes.
  private func isConvex(_ nodes: [Int]) -> Bool {
    let inside = Set(nodes)
    var reached = Set<Int>()
    var pending = nodes
    while let node = pending.popLast() {
      for user in users(of: node) {
        if inside.contains(user) {
          if !inside.contains(node) { return false }
          continue
        }
        let whole = group[user].flatMap { members[$0] } ?? [user]
        guard whole[0] <= nodes.last!, reached.insert(whole[0]).inserted else { continue }
        pending += whole
      }
    }
    return true
  }

  private func users(of node: Int) -> [Int] {
    graph.nodes[node].results.flatMap { uses[$0.index] }
  }

  /// The graph with every group that needs it as one node, at the place of its last member.
  func fused() -> Graph {
    var replaced: [Int: Node] = [:]
    var absorbed = Set<Int>()
    for nodes in members.values where needsRegion(nodes) {
      let part = Part(graph, nodes)
      replaced[nodes.last!] = Node(
        op: "fused", operands: part.operands, results: part.results,
        attributes: ["body": .region(part.region)])
      absorbed.formUnion(nodes)
    }
    var result = graph
    result.nodes = graph.nodes.indices.compactMap { index in
      replaced[index] ?? (absorbed.contains(index) ? nil : graph.nodes[index])
    }
    return result
  }
}

/// Some nodes of a graph as a region, the values that it reads, and those that others read.
private struct Part {
  private(set) var operands: [ValueID] = []
  private(set) var results: [ValueID] = []
  private(set) var region: Region

  /// A vector that is read both by channel and by image is two operands.
  private struct Source: Hashable {
    var value: ValueID
    var byChannel: Bool
  }

  init(_ graph: Graph, _ indices: [Int]) {
    let nodes = indices.map { graph.nodes[$0] }
    var body = Graph(name: "region")
    body.values = graph.values.map { ValueInfo(type: $0.type, stage: nil) }
    let inner = Set(nodes.flatMap(\.results))
    var parameters: [Source: ValueID] = [:]
    for var node in nodes {
      for (place, operand) in node.operands.enumerated() where !inner.contains(operand) {
        let source = Source(value: operand, byChannel: Part.isByChannel(node, operand, graph))
        if parameters[source] == nil {
          let value = ValueID(body.values.count)
          body.values.append(ValueInfo(type: graph.type(operand), stage: nil))
          body.inputs.append(GraphInput(value: value, name: "\(operands.count)", role: .data))
          parameters[source] = value
          operands.append(operand)
        }
        node.operands[place] = parameters[source]!
      }
      body.nodes.append(node)
    }
    let members = Set(indices)
    let read = Set(graph.roots).union(
      graph.nodes.indices.filter { !members.contains($0) }.flatMap { graph.nodes[$0].operands })
    results = nodes.flatMap(\.results).filter(read.contains)
    body.outputs = results.enumerated().map { GraphOutput(name: "\($0)", value: $1) }
    region = Region(body)
  }

  private static func isByChannel(_ node: Node, _ operand: ValueID, _ graph: Graph) -> Bool {
    (try? OpRegistry.definition(node.op).fusion) == .elementwise
      && graph.type(operand).rank == 1 && graph.type(node.results[0]).rank > 1
  }
}
