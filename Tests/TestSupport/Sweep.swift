/// Calls `body` for every value, and adds to an error for which one it was thrown.
public func withEvery<A>(_ name: String, _ values: some Sequence<A>, _ body: (A) throws -> Void)
  throws
{
  for value in values {
    do {
      try body(value)
    } catch {
      throw SweepError(message: "\(name) \(value): \(error)")
    }
  }
}

/// Calls `body` for every pair of values.
public func withEvery<A, B>(
  _ first: some Sequence<A>, _ second: some Sequence<B>, _ body: (A, B) throws -> Void
) throws {
  for a in first {
    for b in second {
      do {
        try body(a, b)
      } catch {
        throw SweepError(message: "\(a), \(b): \(error)")
      }
    }
  }
}

/// An error of one case of a sweep.
public struct SweepError: Error, CustomStringConvertible {
  public var message: String

  public init(message: String) { self.message = message }

  public var description: String { message }
}
