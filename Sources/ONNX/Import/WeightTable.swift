import IR
import Models

/// The weights that nodes have asked for, and their names.
struct WeightTable {
  private(set) var values: [String: [Float]] = [:]

  /// A name for a weight that no other has.
  ///
  /// The file's own where it is PyTorch's (`layer1.0.conv1.weight`) and this is its first use: one
  /// that several nodes share becomes a weight for each. Otherwise the layer's with `suffix`.
  func name(_ constant: Constant, layer: String, suffix: String) -> String {
    let own = constant.name
    if own.hasSuffix("." + suffix), values[own] == nil { return own }
    var name = "\(layer).\(suffix)"
    var number = 2
    while values[name] != nil {
      name = "\(layer)_\(number).\(suffix)"
      number += 1
    }
    return name
  }

  mutating func add(_ name: String, _ numbers: [Float]) { values[name] = numbers }

  /// The module that a node belongs to, in PyTorch's terms.
  ///
  /// Exporters name nodes by scopes, `/layer1/layer1.0/conv1/Conv`: a part that begins with the
  /// part before it stands for both.
  static func module(_ node: OnnxNode) -> String {
    var parts: [Substring] = []
    for part in node.proto.name.split(separator: "/").dropLast() {
      if let last = parts.last, part.hasPrefix(last + ".") { parts.removeLast() }
      parts.append(part)
    }
    if !parts.isEmpty { return parts.joined(separator: ".") }
    let name = node.proto.name.isEmpty ? node.proto.output.first ?? "" : node.proto.name
    return name.isEmpty ? node.proto.opType : name
  }
}
