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
  /// - Throws: StorageError that lists what is missing, unexpected or of another shape.
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
    try check(byName, model, file: file)
    return try byName.mapValues { try $0.floats() }
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
      throw StorageError(
        .damaged, file: file, "does not fit \(model.name): \(problems.joined(separator: "; "))")
    }
  }

  /// The model's tensors for a file, in `state_dict` order.
  public func storedTensors() throws -> [StoredTensor] {
    try model.parameters.map { parameter in
      let tensor = try store.tensor(parameter.name, TensorType(.f32, parameter.shape))
      return try StoredTensor(
        name: parameter.name, shape: parameter.shape, values: UnsafeBufferPointer(tensor.floats))
    }
  }

  /// The hash of all model tensors but the named ones: what must not change while these do.
  public func contentHash(except changing: Set<String>) throws -> String {
    var hash = ContentHash()
    for parameter in model.parameters where !changing.contains(parameter.name) {
      hash.add(parameter.name)
      hash.add(try store.tensor(parameter.name, TensorType(.f32, parameter.shape)).bytes)
    }
    return hash.description
  }
}
