/// What is wrong with a graph, in one line that names the place.
public struct IRError: Error, Equatable, CustomStringConvertible {
  public var message: String

  public init(_ message: String) { self.message = message }

  public var description: String { message }
}
