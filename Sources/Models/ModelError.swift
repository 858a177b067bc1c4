/// What is wrong with a model's description, in one line that names the place.
public struct ModelError: Error, Equatable, CustomStringConvertible {
  public var message: String

  public init(_ message: String) { self.message = message }

  public var description: String { message }
}
