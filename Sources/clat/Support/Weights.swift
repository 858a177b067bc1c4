import Adversarial
import Foundation
import IR
import Models
import Storage

/// Reads a model's tensors from a file.
enum Weights {
  /// The values by name, in PyTorch's layouts.
  ///
  /// - Parameter path: a safetensors file, or a run's folder for its latest checkpoint.
  /// - Throws: Failure where nothing is there; StorageError where it does not fit the model.
  static func read(_ path: String, _ model: Model) throws -> [String: [Float]] {
    let file = try locate(path)
    return try ModelSession.values(Safetensors.read(file).tensors, model, file: file)
  }

  /// The network that a checkpoint, or the weights of a finished run, bring as text.
  ///
  /// - Throws: Failure (64) for files without.
  static func network(_ path: String) throws -> ImportedNetwork {
    let file = try locate(path)
    let metadata = try Safetensors.read(file).metadata
    let state = metadata["clat"].flatMap {
      try? JSONDecoder().decode([String: String].self, from: Data($0.utf8))
    }
    guard let text = metadata["network"] ?? state?["network"] else {
      throw Failure.usage("\(file) does not say what network its weights are of: give --model")
    }
    return try Failure.blaming(.badData, file) {
      ImportedNetwork(try NetworkGraph(Graph(parsing: text)))
    }
  }

  /// The file itself, or the latest whole checkpoint of a run's folder.
  static func locate(_ path: String) throws -> String {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
      throw Failure(.missingInput, "\(path): not found, expected weights as safetensors")
    }
    guard isFolder.boolValue else { return path }
    let store = CheckpointStore(folder: path + "/checkpoints")
    guard let latest = store.latest(warn: { Output.note("clat: \($0)") }) else {
      throw Failure(.missingInput, "\(path): a folder without a checkpoint, expected weights")
    }
    return latest.path
  }
}
