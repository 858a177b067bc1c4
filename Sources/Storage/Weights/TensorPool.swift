import Foundation
import IR

/// The tensors of a file that may be a network's.
struct TensorPool {
  /// With their whole names, or those within the part that was asked for.
  let tensors: [StoredTensor]
  let isOrdered: Bool
  let normalization: FileNormalization?
  /// How many names stand before a network's at most.
  private static let maximumDepth = 16

  init(_ file: WeightFile, part: String?) throws {
    var tensors =
      if let part { try Self.within(part, file) } else {
        file.tensors.filter { !$0.name.hasPrefix("optimizer.") }
      }
    let normalization = FileNormalization(tensors)
    self.normalization = normalization
    tensors.removeAll { tensor in
      tensor.name.hasSuffix("num_batches_tracked")
        || normalization.map { $0.names.contains(tensor.name) } ?? false
    }
    self.tensors = tensors
    isOrdered = file.isOrdered
  }

  /// The tensors of a part under their names within it.
  ///
  /// - Throws: StorageError that names the parts there are, where it is not in the file.
  static func within(_ part: String, _ file: WeightFile) throws -> [StoredTensor] {
    let tensors = file.tensors.compactMap { tensor -> StoredTensor? in
      guard let range = ("." + tensor.name).range(of: "." + part + ".") else { return nil }
      return tensor.renamed(String(("." + tensor.name)[range.upperBound...]))
    }
    guard tensors.isEmpty else { return tensors }
    let heads = Set(file.tensors.map { String($0.name.prefix { $0 != "." }) }).sorted()
    throw StorageError(
      .damaged, file: file.file,
      "holds no \(quoted(part)), it holds "
        + heads.prefix(20).map { printable($0) }.joined(separator: ", "))
  }

  /// The prefix under which most of a network's names stand; among such those under which most are
  /// the very names, and before averages of weights the weights themselves. And the other networks'
  /// prefixes under which as many names stand.
  func bestPrefix(_ names: SlotNames) -> (prefix: String, others: [String]) {
    var order: [String] = []
    var known: [String: Int] = [:]
    var exact: [String: Int] = [:]
    for tensor in tensors {
      for (prefix, rest) in Self.splits(tensor.name) where names.slot(rest) != nil {
        if known[prefix] == nil { order.append(prefix) }
        known[prefix, default: 0] += 1
        exact[prefix, default: 0] += names.exact[rest] == nil ? 0 : 1
      }
    }
    let most = known.values.max() ?? 0
    let mostExact = order.filter { known[$0] == most }.compactMap { exact[$0] }.max()
    let best = order.filter { known[$0] == most && exact[$0] == mostExact }
    let chosen = best.first { !Self.isAverage($0) } ?? best.first ?? ""
    let others = best.filter { $0 != chosen }.map { String($0.dropLast()) }
    return (chosen, others.filter { !$0.isEmpty })
  }

  /// A name cut at its first dots: what stands before each, dot included, and behind it.
  static func splits(_ name: String) -> [(prefix: String, rest: String)] {
    [("", name)]
      + name.indices.lazy.filter { name[$0] == "." }.prefix(maximumDepth).map { dot in
        let next = name.index(after: dot)
        return (String(name[..<next]), String(name[next...]))
      }
  }

  static func isAverage(_ prefix: String) -> Bool {
    let words = prefix.lowercased().split { !$0.isLetter }
    return words.contains { ["ema", "swa", "averaged", "average"].contains($0) }
  }
}

/// The constants by which a network of a file normalises its images: buffers `mean` and `std`.
struct FileNormalization {
  let names: [String]
  let mean: [Float]
  let std: [Float]

  private static let pairs = [
    ("mean", "std"), ("mu", "sigma"), ("new_mean", "new_std"), ("image_mean", "image_std"),
    ("_mean", "_std"),
  ]

  init?(_ tensors: [StoredTensor]) {
    let byName = Dictionary(tensors.map { ($0.name, $0) }, uniquingKeysWith: { one, _ in one })
    for tensor in tensors {
      let leaf = tensor.name.split(separator: ".").last.map(String.init) ?? ""
      for (meanName, stdName) in Self.pairs where leaf == meanName {
        let other = tensor.name.dropLast(leaf.count) + stdName
        guard (1...4).contains(tensor.count), let std = byName[String(other)],
          std.count == tensor.count, let mean = try? tensor.floats(), let std = try? std.floats()
        else { continue }
        (names, self.mean, self.std) = ([tensor.name, String(other)], mean, std)
        return
      }
    }
    return nil
  }

  var advice: String {
    func list(_ values: [Float]) -> String { values.map(\.description).joined(separator: ",") }
    return "holds a normalisation, which is not part of the network here: give it as "
      + "--mean \(list(mean)) --std \(list(std))"
  }
}
