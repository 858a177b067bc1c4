import Engine
import IR
import Models
import Storage

extension ModelSession {
  /// Copies a file's tensors into the model's, by PyTorch name.
  ///
  /// `num_batches_tracked` and a checkpoint's `optimizer.` tensors are passed over, and a `module.`
  /// before every name (DataParallel) is dropped.
  ///
  /// - Parameter file: named in errors.
  /// - Throws: StorageError naming the first tensor that is missing, unknown or of another shape.
  public func load(_ tensors: [StoredTensor], file: String) throws {
    let values = try Self.values(tensors, model, file: file)
    for parameter in model.parameters {
      try store.set(
        parameter.name, TensorType(.f32, parameter.shape), values[parameter.name] ?? [])
    }
  }

  /// The values of a model's tensors in a file; see `load`.
  public static func values(
    _ tensors: [StoredTensor], _ model: Model, file: String
  ) throws -> [String: [Float]] {
    let tensors = tensors.filter {
      !$0.name.hasSuffix("num_batches_tracked") && !$0.name.hasPrefix("optimizer.")
    }
    let prefix = "module."
    let strip = !tensors.isEmpty && tensors.allSatisfy { $0.name.hasPrefix(prefix) }
    let byName = Dictionary(
      tensors.map { (strip ? String($0.name.dropFirst(prefix.count)) : $0.name, $0) },
      uniquingKeysWith: { first, _ in first })
    let known = Set(model.parameters.map(\.name))
    if let extra = byName.keys.sorted().first(where: { !known.contains($0) }) {
      let hint = nearest(to: extra, in: known.sorted()).map { "; nearest is '\($0)'" } ?? ""
      throw StorageError(.damaged, file: file, "'\(extra)' is no tensor of \(model.name)\(hint)")
    }
    var values: [String: [Float]] = [:]
    for parameter in model.parameters {
      guard let tensor = byName[parameter.name] else {
        throw StorageError(
          .damaged, file: file, "tensor '\(parameter.name)' of \(model.name) is missing")
      }
      guard tensor.shape == parameter.shape else {
        throw StorageError(
          .damaged, file: file,
          "tensor '\(parameter.name)' has shape \(tensor.shape), \(model.name) needs "
            + "\(parameter.shape)")
      }
      values[parameter.name] = try tensor.floats()
    }
    return values
  }

  /// The model's tensors for a file, in `state_dict` order.
  public func storedTensors() throws -> [StoredTensor] {
    try model.parameters.map { parameter in
      let tensor = try store.tensor(parameter.name, TensorType(.f32, parameter.shape))
      return try StoredTensor(
        name: parameter.name, shape: parameter.shape, values: UnsafeBufferPointer(tensor.floats))
    }
  }

  /// The hash of all model tensors but the named ones: what must not change while these train.
  public func contentHash(except trained: Set<String>) throws -> String {
    var hash = ContentHash()
    for parameter in model.parameters where !trained.contains(parameter.name) {
      hash.add(parameter.name)
      hash.add(try store.tensor(parameter.name, TensorType(.f32, parameter.shape)).bytes)
    }
    return hash.description
  }
}
