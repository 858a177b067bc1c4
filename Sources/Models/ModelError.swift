import IR

/// What is wrong with a model's description, in one line that names the place.
public struct ModelError: Error, Equatable, CustomStringConvertible {
  public var message: String

  public init(_ message: String) { self.message = message }

  public var description: String { message }

  /// - Parameter what: a known one would be, `layer of resnet18`.
  static func unknown(_ name: String, _ what: String, _ known: [String]) -> ModelError {
    let hint = nearest(to: name, in: known).map { "did you mean '\($0)'?" }
    return ModelError(
      "'\(name)' is no \(what); \(hint ?? "there are: \(known.joined(separator: ", "))")")
  }
}
