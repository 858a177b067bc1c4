/// A distance in pixel space, as a decimal (`0.03`) or in grey levels (`8/255`).
public struct Epsilon: Sendable, Hashable, ExpressibleByFloatLiteral, CustomStringConvertible {
  public let value: Double
  /// As it was given: what a written recipe says.
  public let text: String

  public init(_ value: Double) {
    self.value = value
    text = "\(value)"
  }

  public init(floatLiteral value: Double) { self.init(value) }

  /// Reads `0.03` or `8/255`; nil for anything else, negative and non-finite numbers included.
  public init?(text: String) {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false)
    let numbers = parts.compactMap { Double($0.trimmingPrefix(while: \.isWhitespace)) }
    guard numbers.count == parts.count, (1...2).contains(parts.count) else { return nil }
    let value = numbers.count == 2 ? numbers[0] / numbers[1] : numbers[0]
    guard value.isFinite, value >= 0 else { return nil }
    self.value = value
    self.text = text
  }

  /// Both forms: `8/255 = 0.03137`, `0.03 = 7.65/255`.
  public var description: String {
    func rounded(_ number: Double, _ scale: Double) -> String {
      let short = (number * scale).rounded() / scale
      return short == short.rounded() && abs(short) < 1e9 ? "\(Int(short))" : "\(short)"
    }
    let levels = rounded(value * 255, 1e4)
    return text.contains("/")
      ? "\(text) = \(rounded(value, 1e5))" : "\(text) = \(levels)/255"
  }
}
