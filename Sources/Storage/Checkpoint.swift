import Foundation

/// Everything that a run needs to go on: one safetensors file whose model tensors carry their plain
/// PyTorch names, so that it also loads there.
public struct Checkpoint: Sendable, Equatable {
  /// The epoch (from 0), and how many of its steps are done.
  public var epoch: Int
  public var step: Int
  /// The model's parameters and statistics under their `state_dict` names.
  public var model: [StoredTensor]
  /// The optimizer's tensors under the names of their parameters; `optimizer.NAME` in the file.
  public var optimizer: [StoredTensor]
  /// Anything else as text: seeds, model, recipe hash, selected layers.
  public var state: [String: String]

  public init(
    epoch: Int, step: Int, model: [StoredTensor], optimizer: [StoredTensor] = [],
    state: [String: String] = [:]
  ) {
    self.epoch = epoch
    self.step = step
    self.model = model
    self.optimizer = optimizer
    self.state = state
  }

  private static let prefix = "optimizer."
  private static let reserved = ["format", "epoch", "step", "content"]

  /// Writes the checkpoint atomically: an interruption leaves the earlier file.
  ///
  /// The header's `__metadata__` has one key `clat`: a JSON object of texts, namely `state`,
  /// `format`, `epoch`, `step` and `content`, the FNV-1a hash of all the rest.
  ///
  /// - Throws: `StorageError`: `diskFull` and others; `invalid` for a model tensor named
  ///   `optimizer.*` and for a `state` with one of the four keys.
  public func write(to path: String) throws {
    if let tensor = model.first(where: { $0.name.hasPrefix(Self.prefix) }) {
      throw StorageError(
        .invalid, file: path, "model tensor \(quoted(tensor.name)): the prefix is the optimizer's")
    }
    if let key = Self.reserved.first(where: { state[$0] != nil }) {
      throw StorageError(.invalid, file: path, "state \(quoted(key)): the name is taken")
    }
    let tensors = model + optimizer.map { $0.renamed(Self.prefix + $0.name) }
    var fields = state
    fields["format"] = "1"
    fields["epoch"] = String(epoch)
    fields["step"] = String(step)
    fields["content"] = Self.hash(fields, tensors)
    let text = JSON.object(Self.sorted(fields).map { ($0.key, .string($0.value)) }).text()
    try Safetensors(tensors: tensors, metadata: ["clat": text]).write(to: path)
  }

  /// Reads a checkpoint and checks that nothing in it has changed.
  ///
  /// - Throws: `StorageError`: `missing`; `damaged` for a file that is torn, changed or no
  ///   checkpoint.
  public static func read(_ path: String) throws -> Checkpoint {
    let file = try Safetensors.read(path)
    guard let text = file.metadata["clat"],
      var fields = try? JSONDecoder().decode([String: String].self, from: Data(text.utf8))
    else { throw StorageError(.damaged, file: path, "no checkpoint: metadata 'clat' expected") }
    guard fields["format"] == "1" else {
      throw StorageError(
        .damaged, file: path, "checkpoint format \(quoted(fields["format"] ?? "")), expected '1'")
    }
    let content = fields.removeValue(forKey: "content")
    guard content == hash(fields, file.tensors) else {
      throw StorageError(.damaged, file: path, "the content does not match its hash")
    }
    guard let epoch = fields["epoch"].flatMap(Int.init), let step = fields["step"].flatMap(Int.init)
    else { throw StorageError(.damaged, file: path, "epoch and step: integers expected") }
    for key in reserved { fields[key] = nil }
    let (optimizer, model) = (
      file.tensors.filter { $0.name.hasPrefix(prefix) },
      file.tensors.filter { !$0.name.hasPrefix(prefix) }
    )
    return Checkpoint(
      epoch: epoch, step: step, model: model,
      optimizer: optimizer.map { $0.renamed(String($0.name.dropFirst(prefix.count))) },
      state: fields)
  }

  private static func sorted(_ fields: [String: String]) -> [(key: String, value: String)] {
    fields.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
  }

  private static func hash(_ fields: [String: String], _ tensors: [StoredTensor]) -> String {
    var hash = ContentHash()
    for (key, value) in sorted(fields) {
      hash.add(key)
      hash.add(value)
    }
    let ordered = tensors.sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
    for tensor in ordered { hash.add(tensor) }
    return hash.description
  }
}
