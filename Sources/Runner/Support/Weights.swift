import Adversarial
import IR
import Models
import Storage

/// Reads a model's tensors from a file.
enum Weights {
  /// The values by name, in PyTorch's layouts; what the user should know goes to standard error.
  ///
  /// - Parameter text: as `WeightSource` reads it.
  /// - Throws: StorageError where nothing is there and where it does not fit the model.
  static func read(_ text: String, _ model: Model) throws -> [String: [Float]] {
    let source = WeightSource(text)
    let file = try source.read(warn: { Output.note("clat: \($0)") })
    let found = try ModelSession.find(file, part: source.part, model)
    for note in found.notes { Output.note("clat: \(note)") }
    return Dictionary(
      uniqueKeysWithValues: try found.tensors.map { ($0.name, try $0.floats()) })
  }

  /// The network that a checkpoint, or the weights of a finished run, bring as text.
  ///
  /// - Throws: Failure (64) for files without.
  static func network(_ text: String) throws -> ImportedNetwork {
    let file = try WeightSource(text).read()
    guard let network = try network(file) else {
      throw Failure.usage(
        "\(file.file) does not say what network its weights are of: give --model")
    }
    return network
  }

  /// nil where the file has no network's text.
  static func network(_ file: WeightFile) throws -> ImportedNetwork? {
    try file.network.map { text in
      try Failure.blaming(.badData, file.file) {
        ImportedNetwork(try NetworkGraph(Graph(parsing: text)))
      }
    }
  }
}
