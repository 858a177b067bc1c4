import IR

extension NetworkGraph {
  /// A convolution or linear layer within the graph.
  struct Layer {
    var name: String
    var kind: LayerInfo.Kind
    var weight: String
    var bias: String?
  }

  /// The layers by the node that makes their output: a convolution or matrix product by a
  /// parameter, or the sum of a bias where nothing else reads that.
  ///
  /// The name is the weight's without `.weight`. A convolution is a shortcut's if the header's
  /// `shortcuts` names it, or where there is no such entry, if an addition has it on the operand
  /// with fewer convolutions of its own (`Paths`).
  func layers(_ paths: Paths) -> [Int: Layer] {
    let uses = graph.uses
    let listed = graph.header["shortcuts"].map { _ in Set(shortcutNames) }
    var layers: [Int: Layer] = [:]
    for (index, node) in graph.nodes.enumerated() where ["conv2d", "linear"].contains(node.op) {
      guard let weight = names[node.operands[1]] else { continue }
      let name = weight.hasSuffix(".weight") ? String(weight.dropLast(7)) : weight
      let isShortcut = listed?.contains(name) ?? paths.shortcuts.contains(index)
      var kind = isShortcut ? LayerInfo.Kind.shortcut : .convolution
      if paths.gates.contains(index) { kind = .gate }
      if node.op == "linear" { kind = .linear }
      var layer = Layer(name: name, kind: kind, weight: weight)
      var output = index
      if let next = uses[node.results[0].index].first, uses[node.results[0].index].count == 1,
        graph.nodes[next].op == "bias_add", let bias = names[graph.nodes[next].operands[1]]
      {
        (output, layer.bias) = (next, bias)
      }
      layers[output] = layer
    }
    return layers
  }

  private var shortcutNames: [String] {
    graph.header.string("shortcuts").split(separator: ",").map {
      String($0.drop { $0 == " " })
    }
  }
}

/// What the sums and gates of a graph say about its paths.
struct Paths {
  /// The position of the operand of an addition that is the main path, by the node's index.
  private(set) var main: [Int: Int] = [:]
  /// The convolutions of shortcuts.
  private(set) var shortcuts: Set<Int> = []
  /// All nodes that only make the gates of images (`image_scale`).
  private(set) var gates: Set<Int> = []

  /// The main path of an addition is the operand that has more convolutions of its own, which do
  /// not lead to the other operand; of equals the first, and then neither is a shortcut.
  init(_ graph: Graph) {
    let definitions = graph.definitions
    for (index, node) in graph.nodes.enumerated() where ["add", "image_scale"].contains(node.op) {
      let sides = Self.nodes(above: index, graph, definitions)
      guard node.op == "add" else {
        gates.formUnion(sides[1])
        continue
      }
      let convolutions = sides.map { side in side.filter { graph.nodes[$0].op == "conv2d" } }
      let (first, second) = (convolutions[0].count, convolutions[1].count)
      main[index] = second > first ? 1 : 0
      if first != second { shortcuts.formUnion(convolutions[first < second ? 0 : 1]) }
    }
  }

  /// The nodes that lead to one operand and not to the other.
  private static func nodes(above sum: Int, _ graph: Graph, _ definitions: [Int?]) -> [[Int]] {
    var sides: [[Int]] = [[], []]
    // Bit 0: leads to the first operand; bit 1: to the second.
    var marks: [Int: Int] = [:]
    var undecided = 0
    func mark(_ value: ValueID, _ bits: Int) {
      guard let node = definitions[value.index] else { return }
      let (old, new) = (marks[node] ?? 0, (marks[node] ?? 0) | bits)
      undecided += (new == 3 ? 0 : 1) - (old == 3 || old == 0 ? 0 : 1)
      marks[node] = new
    }
    for (side, operand) in graph.nodes[sum].operands.enumerated() { mark(operand, 1 << side) }
    var index = sum - 1
    while undecided > 0, index >= 0 {
      if let bits = marks[index] {
        if bits != 3 {
          undecided -= 1
          sides[bits - 1].append(index)
        }
        for operand in graph.nodes[index].operands { mark(operand, bits) }
      }
      index -= 1
    }
    return sides
  }
}
