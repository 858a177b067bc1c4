import Foundation

extension Architecture {
  private static let registry = Registry()

  /// The built-in architectures and those that programs have registered.
  public static var known: [Architecture] { all + registry.architectures }

  /// Makes an architecture known by its name, for this process: to `--model`, recipes and
  /// `Model(ModelSpec(...))`.
  ///
  /// - Throws: ModelError where the name is taken, or cannot be written in a specification.
  public static func register(_ architecture: Architecture) throws {
    let name = architecture.name
    guard !name.isEmpty, !name.contains(where: { ":,= \n".contains($0) }) else {
      throw ModelError("'\(name)' cannot be a model's name: it must not be empty or hold : , =")
    }
    try registry.add(architecture)
  }

  private final class Registry: @unchecked Sendable {
    private let lock = NSLock()
    private var registered: [Architecture] = []

    var architectures: [Architecture] { lock.withLock { registered } }

    func add(_ architecture: Architecture) throws {
      try lock.withLock {
        guard !(all + registered).contains(where: { $0.name == architecture.name }) else {
          throw ModelError("there is a model named '\(architecture.name)' already")
        }
        registered.append(architecture)
      }
    }
  }
}
