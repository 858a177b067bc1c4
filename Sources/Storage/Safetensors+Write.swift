import Foundation

extension Safetensors {
  /// Writes the file atomically. The same contents give the same bytes: tensors stand by falling
  /// element size (so that all are aligned) and then by name, metadata by key.
  ///
  /// - Throws: `StorageError`: `invalid` for two tensors of one name, `diskFull` and others.
  public func write(to path: String) throws {
    let ordered = try inFileOrder(path)
    let header = try self.header(ordered, file: path)
    let bytes = header.count + ordered.reduce(0) { $0 + $1.bytes.count }
    try AtomicFile.write(to: path, bytes: bytes) { sink in
      try sink.write(header)
      for tensor in ordered { try sink.write(tensor.bytes) }
    }
  }

  /// The bytes that `write` writes.
  public func encoded() throws -> Data {
    let ordered = try inFileOrder("safetensors")
    return try ordered.reduce(into: header(ordered, file: "safetensors")) { $0 += $1.bytes }
  }

  private func inFileOrder(_ file: String) throws -> [StoredTensor] {
    let ordered = tensors.map { (key: Array($0.name.utf8), tensor: $0) }.sorted { one, other in
      let (size, otherSize) = (one.tensor.type.size, other.tensor.type.size)
      return size == otherSize ? one.key.lexicographicallyPrecedes(other.key) : size > otherSize
    }.map(\.tensor)
    var names: Set<String> = ["__metadata__"]
    for tensor in ordered where !names.insert(tensor.name).inserted {
      throw StorageError(
        .invalid, file: file, "tensor \(quoted(tensor.name)): the name is taken")
    }
    return ordered
  }

  private func header(_ ordered: [StoredTensor], file: String) throws -> Data {
    var members: [(String, JSON)] = []
    if !metadata.isEmpty {
      let pairs = metadata.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
      members.append(("__metadata__", .object(pairs.map { ($0.key, .string($0.value)) })))
    }
    var offset = 0
    for tensor in ordered {
      let end = offset + tensor.bytes.count
      members.append(
        (
          tensor.name,
          [
            "dtype": .string(tensor.type.rawValue), "shape": .array(tensor.shape.map(JSON.int)),
            "data_offsets": [.int(offset), .int(end)],
          ]
        ))
      offset = end
    }
    var json = Data(JSON.object(members).text().utf8)
    json.append(contentsOf: repeatElement(UInt8(ascii: " "), count: (8 - json.count % 8) % 8))
    guard json.count <= Self.maximumHeaderBytes else {
      throw StorageError(
        .invalid, file: file, "header of \(json.count) bytes, at most \(Self.maximumHeaderBytes)")
    }
    return withUnsafeBytes(of: UInt64(json.count).littleEndian) { Data($0) } + json
  }
}
