import Foundation
import Models
import Storage

/// Reads a model's tensors from a file.
enum Weights {
  /// The values by name, in PyTorch's layouts.
  ///
  /// `num_batches_tracked`, a checkpoint's optimiser state, and `module.` before every name
  /// (DataParallel) are passed over.
  ///
  /// - Parameter path: a safetensors file, or a run's folder for its latest checkpoint.
  /// - Throws: Failure that lists every tensor that is missing, unexpected or of another shape.
  static func read(_ path: String, _ model: Model) throws -> [String: [Float]] {
    let file = try locate(path)
    let contents = try Safetensors.read(file)
    let optimizer = contents.metadata["clat"] == nil ? nil : "optimizer."
    var tensors: [String: StoredTensor] = [:]
    let kept = contents.tensors.filter { tensor in
      !tensor.name.hasSuffix("num_batches_tracked")
        && !(optimizer.map(tensor.name.hasPrefix) ?? false)
    }
    let prefix = "module."
    let strips = !kept.isEmpty && kept.allSatisfy { $0.name.hasPrefix(prefix) }
    for tensor in kept {
      tensors[strips ? String(tensor.name.dropFirst(prefix.count)) : tensor.name] = tensor
    }
    try check(tensors, model, file: file)
    return try tensors.mapValues { try $0.floats() }
  }

  /// The file itself, or the latest whole checkpoint of a run's folder.
  private static func locate(_ path: String) throws -> String {
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

  private static func check(
    _ tensors: [String: StoredTensor], _ model: Model, file: String
  ) throws {
    let known = Set(model.parameters.map(\.name))
    let missing = model.parameters.filter { tensors[$0.name] == nil }.map(\.name)
    let unexpected = tensors.keys.filter { !known.contains($0) }.sorted()
    let misshapen = model.parameters.compactMap { parameter -> String? in
      guard let found = tensors[parameter.name], found.shape != parameter.shape else { return nil }
      return "\(parameter.name) is \(found.shape), expected \(parameter.shape)"
    }
    let lists = [("missing", missing), ("unexpected", unexpected), ("misshapen", misshapen)]
    let problems = lists.filter { !$0.1.isEmpty }.map { kind, names in
      "\(names.count) \(kind): \(names.joined(separator: ", "))"
    }
    guard problems.isEmpty else {
      throw Failure.badData(
        "\(file): does not fit \(model.name): \(problems.joined(separator: "; "))")
    }
  }
}
