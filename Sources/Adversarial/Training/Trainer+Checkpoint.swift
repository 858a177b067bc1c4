import Engine
import Foundation
import IR
import Models
import Storage

extension Trainer {
  /// Everything that the run needs to go on with the same bits.
  public func checkpoint() throws -> Checkpoint {
    let momentum = try model.parameters.compactMap { parameter -> StoredTensor? in
      guard let tensor = session.store[SGDOptions.stateName(parameter.name)] else { return nil }
      return try StoredTensor(
        name: parameter.name, shape: parameter.shape, values: UnsafeBufferPointer(tensor.floats))
    }
    var fields = ["trainer": try state.text(), "recipe": recipeHash, "model": model.name]
    fields["network"] = networkText
    return Checkpoint(
      epoch: state.epoch, step: state.step, model: try session.storedTensors(),
      optimizer: momentum, state: fields)
  }

  func saveCheckpoint() throws {
    guard let directory else { return }
    let path = try directory.save(checkpoint(), keep: recipe.checkpoint.keep)
    onEvent(.checkpointWritten(path))
  }

  /// Continues from a checkpoint of the same recipe; only `threads` may differ.
  ///
  /// - Parameter file: named in errors.
  /// - Throws: StorageError where it belongs to another recipe or model.
  public func restore(_ checkpoint: Checkpoint, file: String) throws {
    guard checkpoint.state["recipe"] == recipeHash else {
      throw StorageError(.invalid, file: file, "belongs to another recipe")
    }
    let state = try TrainerState(text: checkpoint.state["trainer"], file: file)
    try session.load(WeightFile(file: file, checkpoint.model))
    for parameter in model.parameters where parameter.isTrainable {
      let name = SGDOptions.stateName(parameter.name)
      let type = TensorType(.f32, parameter.shape)
      let stored = checkpoint.optimizer.first { $0.name == parameter.name }
      guard let stored else {
        session.store[name]?.floats.update(repeating: 0)
        continue
      }
      try stored.copyFloats(into: session.store.tensor(name, type).floats)
    }
    self.state = state
    // An epoch's record is written after its last step, and again by the run that starts here.
    try directory?.truncateMetrics(afterEpoch: state.epoch, step: state.step - 1)
  }

  /// Continues from the latest whole checkpoint of the run directory, which needs no other file.
  ///
  /// - Parameter warn: gets one line for each checkpoint that had to be passed over.
  /// - Returns: the file, or nil where there is none and the run starts from the beginning.
  public func resume(warn: (String) -> Void = { _ in }) throws -> String? {
    guard let found = directory?.checkpoints.latest(warn: warn) else {
      try readWeights()
      return nil
    }
    try restore(found.checkpoint, file: found.path)
    return found.path
  }

  /// Changes with everything that the results depend on.
  private var recipeHash: String {
    var recipe = recipe
    recipe.threads = 0
    recipe.checkpoint = Recipe.CheckpointOptions()
    var hash = ContentHash()
    hash.add(recipe.text)
    if let imported = recipe.model.imported { hash.add(imported.network.graph.text) }
    return hash.description
  }
}
