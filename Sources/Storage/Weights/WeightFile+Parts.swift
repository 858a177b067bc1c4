import Foundation
import IR

extension WeightFile {
  /// One of the dictionaries of tensors that a file holds side by side.
  public struct Part: Sendable {
    /// The dictionary's key; empty for tensors that stand beside the dictionaries.
    public var name: String
    /// Under their names within the part.
    public var tensors: [StoredTensor]

    /// An optimizer's tensors, or others that no network has.
    var isOptimizer: Bool { name.lowercased().hasPrefix("optim") }
  }

  /// What the keys of dictionaries that hold a whole network are usually called.
  private static let wrappers: Set = [
    "state_dict", "model_state_dict", "model_state", "model", "net", "network", "module",
    "_orig_mod", "weights", "params",
  ]

  /// The dictionaries, in the file's order; one without a name where a file is a plain `state_dict`.
  public var parts: [Part] {
    var parts: [Part] = []
    var places: [String: Int] = [:]
    for tensor in tensors {
      let head = String(tensor.name.prefix { $0 != "." })
      let isPart =
        head.count < tensor.name.count
        && (Self.wrappers.contains(head) || head.lowercased().hasPrefix("optim")
          || TensorPool.isAverage(head))
      let name = isPart ? head : ""
      let place = places[name] ?? parts.count
      if place == parts.count {
        places[name] = place
        parts.append(Part(name: name, tensors: []))
      }
      parts[place].tensors.append(
        isPart ? tensor.renamed(String(tensor.name.dropFirst(head.count + 1))) : tensor)
    }
    return parts
  }

  /// The tensors of the file's network under its own names, for a file that is to hold nothing else.
  ///
  /// - Parameter part: a dictionary's key; otherwise the first that is no average of weights.
  /// - Returns: the tensors, and what was left out, for the user.
  /// - Throws: StorageError where the part is not in the file, and where nothing is left.
  public func network(
    part: String? = nil
  ) throws -> (tensors: [StoredTensor], leftOut: [String]) {
    var rest = self
    var leftOut: [String] = []
    if let part { rest.tensors = try TensorPool.within(part, self) }
    while true {
      let parts = rest.parts.filter { part != nil || !$0.isOptimizer }
      let plain = parts.first { $0.name.isEmpty }?.tensors ?? []
      let wrapped = parts.first { !$0.name.isEmpty && !TensorPool.isAverage($0.name) }
      guard let wrapped, !plain.contains(where: { $0.name.contains(".") }) else {
        let kept = plain.isEmpty ? parts.flatMap(\.tensors) : plain
        leftOut += Self.summary(rest.parts.filter { !$0.name.isEmpty })
        guard !kept.isEmpty else {
          throw StorageError(.damaged, file: file, "holds no tensors of a network")
        }
        return (kept, leftOut)
      }
      leftOut += Self.summary(rest.parts.filter { $0.name != wrapped.name })
      rest.tensors = wrapped.tensors
    }
  }

  private static func summary(_ parts: [Part]) -> [String] {
    parts.map { part in
      let names = part.name.isEmpty ? part.tensors.prefix(4).map { printable($0.name) } : []
      let what = names.isEmpty ? printable(part.name) : names.joined(separator: ", ")
      return "\(part.tensors.count) tensors of \(what)"
    }
  }
}
