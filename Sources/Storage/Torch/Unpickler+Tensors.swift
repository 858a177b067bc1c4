import Foundation

extension Unpickler {
  /// PyTorch has no tensors of more dimensions.
  private static let maximumRank = 64

  /// A storage: `("storage", type, key, location, elements)`, and in the legacy format the part of
  /// it that is meant: `(key, start, elements)` or None.
  mutating func persistent(_ id: [Pickle.Value]) throws -> Pickle.Value {
    guard id.count >= 5, try id[0].text() == "storage", case .global(.storage(let type)) = id[1]
    else { throw PickleError("expected the id of a storage") }
    var storage = Pickle.Storage(type: type, key: try id[2].key(), count: try id[4].int())
    var name = storage.key
    if id.count > 5, let view = pickle.items(id[5]) {
      guard view.count == 3 else { throw PickleError("expected a part of a storage") }
      (storage.start, storage.count) = (try view[1].int(), try view[2].int())
      name += "/" + (try view[0].key())
    }
    guard storage.count >= 0, storage.start >= 0 else {
      throw PickleError("a storage of \(storage.count) elements")
    }
    if let known = storages[name] { return .storage(known) }
    pickle.storages.append(storage)
    storages[name] = pickle.storages.count - 1
    return .storage(pickle.storages.count - 1)
  }

  /// `_rebuild_tensor_v2(storage, offset, shape, strides, ...)`.
  mutating func tensor(_ arguments: [Pickle.Value], type: StoredType?) throws -> Pickle.Value {
    guard arguments.count >= 4, case .storage(let storage) = arguments[0] else {
      throw PickleError("a tensor without a storage")
    }
    guard let type = type ?? pickle.storages[storage].type else {
      throw PickleError("a tensor without a type")
    }
    let tensor = Pickle.Tensor(
      storage: storage, type: type, offset: try arguments[1].int(),
      shape: try extents(arguments[2]), strides: try extents(arguments[3]))
    guard tensor.shape.count == tensor.strides.count else {
      throw PickleError(
        "a tensor with \(tensor.shape.count) extents and \(tensor.strides.count) strides")
    }
    pickle.tensors.append(tensor)
    return .tensor(pickle.tensors.count - 1)
  }

  private func extents(_ value: Pickle.Value) throws -> [Int] {
    guard let items = pickle.items(value), items.count <= Self.maximumRank else {
      throw PickleError("expected at most \(Self.maximumRank) extents")
    }
    return try items.map { try $0.int() }
  }

  /// `_rebuild_parameter(tensor, ...)`.
  func parameter(_ arguments: [Pickle.Value]) throws -> Pickle.Value {
    guard let tensor = arguments.first, case .tensor = tensor else {
      throw PickleError("a parameter without a tensor")
    }
    return tensor
  }
}

extension Pickle.Value {
  /// A storage's key, which old files write as a number.
  fileprivate func key() throws -> String {
    if case .int(let number) = self { return String(number) }
    let text = try text()
    guard text.utf8.count <= 255 else { throw PickleError("a storage with a long name") }
    return text
  }
}
