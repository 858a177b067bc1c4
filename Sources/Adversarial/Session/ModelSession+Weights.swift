import Engine
import IR
import Models
import Storage

extension ModelSession {
  /// Copies a file's tensors into the model's, as `StateDict` finds them.
  ///
  /// - Parameter part: the name of a dictionary in the file, where it holds several networks.
  /// - Returns: what a user should know, line by line.
  /// - Throws: StorageError that lists what is missing, unexpected or of another shape.
  @discardableResult
  public func load(_ weights: WeightFile, part: String? = nil) throws -> [String] {
    let found = try Self.find(weights, part: part, model)
    for (tensor, parameter) in zip(found.tensors, model.parameters) {
      try store.set(
        parameter.name, TensorType(.f32, parameter.shape), try tensor.floats())
    }
    return found.notes
  }

  /// A model's tensors in a file; see `load`.
  public static func find(
    _ weights: WeightFile, part: String? = nil, _ model: Model
  ) throws -> StateDict {
    try StateDict(
      weights, for: model.parameters.map { .init(name: $0.name, shape: $0.shape) },
      network: model.name, part: part)
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
