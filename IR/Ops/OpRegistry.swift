/// The vocabulary of the graph, one list.
public enum OpRegistry {
  public static let all: [OpDef] =
    convolution + linearOps + batchNormOps + elementwiseOps + poolingOps + rearrangementOps
    + dropoutOps + lossOps + attackOps + optimizerOps + packingOps + gradientOps
    + activationOps + arithmeticOps + imageOps + loopOps + fusedOps

  private static let byName = Dictionary(uniqueKeysWithValues: all.map { ($0.name, $0) })

  /// The definition of an operation.
  ///
  /// - Throws: IRError naming the nearest known operation.
  public static func definition(_ name: String) throws -> OpDef {
    if let definition = byName[name] { return definition }
    let hint = nearest(to: name, in: all.map(\.name)).map { "; did you mean '\($0)'?" } ?? ""
    throw IRError("unknown operation '\(name)'\(hint)")
  }
}

/// The candidate with the smallest edit distance to `word`, if it is near enough to be meant.
public func nearest(to word: String, in candidates: [String]) -> String? {
  let scored = candidates.map { ($0, editDistance(word, $0)) }
  guard let best = scored.min(by: { $0.1 < $1.1 }) else { return nil }
  return best.1 <= max(2, word.count / 3) ? best.0 : nil
}

private func editDistance(_ a: String, _ b: String) -> Int {
  let (a, b) = (Array(a), Array(b))
  var row = Array(0...b.count)
  for i in a.indices {
    var diagonal = row[0]
    row[0] = i + 1
    for j in b.indices {
      let substitution = diagonal + (a[i] == b[j] ? 0 : 1)
      diagonal = row[j + 1]
      row[j + 1] = min(substitution, row[j] + 1, diagonal + 1)
    }
  }
  return row[b.count]
}
