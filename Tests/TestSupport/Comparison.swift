/// The largest difference over the largest expected magnitude; infinite where the counts differ or
/// a value is no number.
public func relativeError(_ actual: [Double], _ expected: [Double]) -> Double {
  guard actual.count == expected.count else { return .infinity }
  var (difference, scale) = (0.0, 0.0)
  for (a, b) in zip(actual, expected) where a != b {
    guard (a - b).isFinite else { return .infinity }
    difference = max(difference, abs(a - b))
  }
  for b in expected where b.isFinite { scale = max(scale, abs(b)) }
  return difference == 0 ? 0 : difference / max(scale, .leastNormalMagnitude)
}

/// The normalised mean square error: the squared norm of the difference over that of `expected`.
public func nmse(_ actual: [Double], _ expected: [Double]) -> Double {
  guard actual.count == expected.count else { return .infinity }
  let error = zip(actual, expected).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
  let norm = expected.reduce(0) { $0 + $1 * $1 }
  return error == 0 ? 0 : error / max(norm, .leastNormalMagnitude)
}

/// The names of entries that are missing on one side, or differ by more than `tolerance`, with the
/// relative error.
public func differences(
  _ actual: [String: [Double]], _ expected: [String: [Double]], tolerance: Double
) -> [String] {
  Set(actual.keys).union(expected.keys).sorted().compactMap { name in
    guard let a = actual[name] else { return "\(name) is missing" }
    guard let b = expected[name] else { return "\(name) is new" }
    let error = relativeError(a, b)
    return error <= tolerance ? nil : "\(name) differs by \(error)"
  }
}
