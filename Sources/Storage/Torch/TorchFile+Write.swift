import Foundation

extension TorchFile {
  /// Writes tensors as `torch.save` writes a `state_dict`: `torch.load(path, weights_only=True)`
  /// gives an `OrderedDict` of them in this order.
  ///
  /// - Throws: `StorageError`: `invalid` for two tensors of one name and for types without a storage
  ///   in PyTorch, `diskFull` and others.
  @Sendable static func write(_ tensors: [StoredTensor], to path: String) throws {
    try archive(tensors, file: path).write(to: path)
  }

  /// The archive of `tensors`; `file` is for errors.
  static func archive(_ tensors: [StoredTensor], file: String) throws -> ZipWriter {
    var writer = ZipWriter()
    try writer.add("archive/data.pkl", pickle(tensors, file: file), file: file)
    try writer.add("archive/byteorder", Data("little".utf8), file: file)
    for (index, tensor) in tensors.enumerated() {
      try writer.add("archive/data/\(index)", tensor.bytes, file: file)
    }
    try writer.add("archive/version", Data("3\n".utf8), file: file)
    return writer
  }

  private static func pickle(_ tensors: [StoredTensor], file: String) throws -> Data {
    var pickler = Pickler()
    var names: Set<String> = []
    pickler.call("collections", "OrderedDict") { $0.add(.emptyTuple) }
    pickler.add(.mark)
    for (index, tensor) in tensors.enumerated() {
      guard names.insert(tensor.name).inserted else {
        throw StorageError(.invalid, file: file, "tensor \(quoted(tensor.name)): the name is taken")
      }
      guard let storage = Pickle.Global.storageName(tensor.type) else {
        throw StorageError(
          .invalid, file: file,
          "tensor \(quoted(tensor.name)): PyTorch has no storage of type \(tensor.type.rawValue)")
      }
      pickler.add(tensor.name)
      pickler.add(tensor, storage: storage, key: String(index))
    }
    pickler.add(.setItems)
    pickler.add(.stop)
    return pickler.bytes
  }
}

/// Writes a pickle of protocol 2.
private struct Pickler {
  private(set) var bytes = Data([PickleOperation.proto.rawValue, 2])

  mutating func add(_ operation: PickleOperation) { bytes.append(operation.rawValue) }

  mutating func add(_ text: String) {
    add(.binunicode)
    bytes.appendInteger(UInt32(text.utf8.count))
    bytes += Data(text.utf8)
  }

  mutating func add(_ number: Int) {
    add(.long1)
    bytes.append(8)
    bytes.appendInteger(Int64(number))
  }

  mutating func addTuple(_ numbers: [Int]) { addTuple { for number in numbers { $0.add(number) } } }

  mutating func addTuple(_ items: (inout Pickler) -> Void) {
    add(.mark)
    items(&self)
    add(.tuple)
  }

  mutating func addGlobal(_ module: String, _ name: String) {
    add(.global)
    bytes += Data("\(module)\n\(name)\n".utf8)
  }

  mutating func call(_ module: String, _ name: String, _ arguments: (inout Pickler) -> Void) {
    addGlobal(module, name)
    arguments(&self)
    add(.reduce)
  }

  /// `_rebuild_tensor_v2(storage, offset, shape, strides, requires_grad, hooks)`.
  mutating func add(_ tensor: StoredTensor, storage: String, key: String) {
    var strides = [Int](repeating: 1, count: tensor.shape.count)
    for axis in strides.indices.dropLast().reversed() {
      strides[axis] = strides[axis + 1] * max(1, tensor.shape[axis + 1])
    }
    call("torch._utils", "_rebuild_tensor_v2") { pickler in
      pickler.addTuple { pickler in
        pickler.addTuple { pickler in
          pickler.add("storage")
          pickler.addGlobal("torch", storage)
          pickler.add(key)
          pickler.add("cpu")
          pickler.add(tensor.count)
        }
        pickler.add(.binpersid)
        pickler.add(0)
        pickler.addTuple(tensor.shape)
        pickler.addTuple(strides)
        pickler.add(.newfalse)
        pickler.call("collections", "OrderedDict") { $0.add(.emptyTuple) }
      }
    }
  }
}
