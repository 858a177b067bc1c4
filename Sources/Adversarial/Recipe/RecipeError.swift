/// What is wrong with a recipe, in one line that names the place.
public struct RecipeError: Error, Equatable, Sendable, CustomStringConvertible {
  public var message: String

  public init(_ message: String) { self.message = message }

  public var description: String { message }
}
