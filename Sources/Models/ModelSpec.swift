/// A model's name and parameters as the command line gives them: `resnet18:width=16`.
public struct ModelSpec: Sendable, Hashable, CustomStringConvertible {
  public var name: String
  public var parameters: [String: String]

  /// Reads `name` or `name:parameter=value,...`.
  ///
  /// - Throws: ModelError for an unknown name, parameter or value, naming the nearest known one.
  public init(_ text: String) throws {
    let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
    name = String(parts[0])
    parameters = [:]
    for item in parts.count > 1 ? parts[1].split(separator: ",") : [] {
      let pair = item.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      guard pair.count == 2, !pair[0].isEmpty, !pair[1].isEmpty else {
        throw ModelError("model '\(text)': expected parameter=value, found '\(item)'")
      }
      guard parameters.updateValue(String(pair[1]), forKey: String(pair[0])) == nil else {
        throw ModelError("model '\(text)': parameter '\(pair[0])' is given twice")
      }
    }
    let (architecture, arguments) = try Architecture.resolve(self)
    _ = try architecture.network(arguments, 10)
  }

  /// The name of a network that is not in the registry.
  init(unregistered name: String) {
    self.name = name
    parameters = [:]
  }

  /// The images and classes that the network was published for; CIFAR-10's where it is not in the
  /// registry.
  public var input: PublishedInput {
    (try? Architecture.resolve(self).0.input) ?? .cifar10
  }

  /// The text that reads back as the same specification.
  public var description: String {
    let list = parameters.keys.sorted().map { "\($0)=\(parameters[$0] ?? "")" }
    return ([name] + (list.isEmpty ? [] : [list.joined(separator: ",")])).joined(separator: ":")
  }
}
