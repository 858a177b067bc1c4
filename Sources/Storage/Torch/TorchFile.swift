import Foundation

/// Checkpoints of PyTorch, as `torch.save` writes them: since version 1.6 ZIP archives with a pickle
/// and one file a storage; before, five pickles and the storages in one file.
enum TorchFile {
  /// The longest pickle that is read, in bytes; storages do not count.
  static let maximumPickle = 100_000_000
  /// PyTorch compresses nothing; where somebody has, an archive may grow so many times.
  private static let maximumExpansion = 32
  /// How many plain values are kept; the rest says nothing about weights.
  private static let maximumFields = 4096
  /// `0x1950a86a20f9469cfc6c`, with which the older format begins.
  private static let magic = Data([0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19])

  static func matches(_ data: Data) -> Bool {
    ZipArchive.matches(data) || data.prefix(2).elementsEqual([0x80, 2])
  }

  /// - Throws: StorageError.damaged that names the file and what is wrong in it.
  static func decode(_ data: Data, file: String) throws -> WeightFile {
    ZipArchive.matches(data)
      ? try decodeArchive(ZipArchive(data, file: file)) : try decodeLegacy(data, file: file)
  }

  // MARK: - The archive

  private static func decodeArchive(_ archive: ZipArchive) throws -> WeightFile {
    let file = archive.file
    let (entry, folder) = try pickleEntry(archive)
    var unpickler = try Unpickler(archive.contents(entry))
    let root = try unpickler.load(file: file)
    let order = try archive[folder + "byteorder"].map { try archive.contents($0) }
    let swaps = order == Data("big".utf8)
    let pickle = unpickler.pickle
    var allowance = archive.data.count * maximumExpansion
    let storages = try pickle.storages.map { storage in
      guard let entry = archive["\(folder)data/\(storage.key)"] else {
        throw damaged(file, "no storage \(quoted(storage.key)) in the archive")
      }
      let size = storage.type?.size ?? 1
      guard entry.size % size == 0, entry.size / size == storage.count else {
        throw damaged(
          file,
          "storage \(quoted(storage.key)) has \(entry.size) bytes, expected "
            + "\(storage.count) elements of \(size)")
      }
      allowance -= entry.size
      guard allowance >= 0 else {
        throw damaged(file, "expands to over \(maximumExpansion) times its size")
      }
      let bytes = try archive.contents(entry)
      guard swaps else { return bytes }
      guard storage.type != nil else {
        throw damaged(file, "storage \(quoted(storage.key)): big-endian and of no known type")
      }
      return bytes.swapped(size)
    }
    return try weights(root, pickle, storages, format: "PyTorch", file: file)
  }

  /// The pickle, and the folder in which it stands, which has any name.
  private static func pickleEntry(
    _ archive: ZipArchive
  ) throws -> (ZipArchive.Entry, folder: String) {
    let name = "data.pkl"
    let found = archive.entries.filter { $0.name == name || $0.name.hasSuffix("/" + name) }
    guard found.count == 1, let entry = found.first else {
      throw damaged(
        archive.file,
        "a ZIP archive with \(found.count) files data.pkl, expected one as in a "
          + "checkpoint of PyTorch")
    }
    guard entry.size <= maximumPickle else {
      throw damaged(
        archive.file, "a pickle of \(entry.size) bytes, expected at most \(maximumPickle)")
    }
    return (entry, String(entry.name.dropLast(name.count)))
  }

  // MARK: - The older format

  private static func decodeLegacy(_ data: Data, file: String) throws -> WeightFile {
    var unpickler = try Unpickler(data)
    guard case .long(let first) = try unpickler.load(file: file), first == magic,
      case .int(1001) = try unpickler.load(file: file)
    else { throw damaged(file, "a pickle, but no checkpoint of PyTorch") }
    _ = try unpickler.load(file: file)
    let root = try unpickler.load(file: file)
    let keyList = try unpickler.load(file: file)
    let pickle = unpickler.pickle
    let keys = try (pickle.items(keyList) ?? []).map { key in
      guard case .text(let text) = key else { throw damaged(file, "storages: expected names") }
      return text
    }
    let bytes = try storages(keys, pickle, &unpickler.reader, file: file)
    let storages = try pickle.storages.map { storage in
      guard let whole = bytes[storage.key], let size = storage.type?.size,
        storage.start <= whole.count / size, storage.count <= whole.count / size - storage.start
      else { throw damaged(file, "storage \(quoted(storage.key)) is not there in full") }
      let start = whole.startIndex + storage.start * size
      return whole[start..<start + storage.count * size]
    }
    return try weights(root, pickle, storages, format: "PyTorch, legacy", file: file)
  }

  /// The bytes of storages by key: for each, the number of elements and the elements.
  private static func storages(
    _ keys: [String], _ pickle: Pickle, _ reader: inout ByteReader, file: String
  ) throws -> [String: Data] {
    let sizes = Dictionary(
      pickle.storages.map { ($0.key, $0.type?.size) }, uniquingKeysWith: { one, _ in one })
    var bytes: [String: Data] = [:]
    for key in keys {
      guard let size = sizes[key] ?? nil else {
        throw damaged(file, "storage \(quoted(key)) is of no known type")
      }
      do {
        let count = try reader.int(Int64.self)
        guard count >= 0, count <= reader.remaining / size else { throw ByteReader.EndOfBytes() }
        bytes[key] = try reader.bytes(count * size)
      } catch is ByteReader.EndOfBytes {
        throw damaged(file, "truncated: storage \(quoted(key)) at byte \(reader.offset)")
      }
    }
    return bytes
  }

  // MARK: - Either format

  private static func weights(
    _ root: Pickle.Value, _ pickle: Pickle, _ storages: [Data], format: String, file: String
  ) throws -> WeightFile {
    var reader = TensorReader(pickle, storages: storages, file: file)
    var result = WeightFile(file: file, format: format, isOrdered: true)
    var names: Set<String> = []
    do {
      try pickle.visitLeaves(of: root) { path, value in
        if case .tensor(let index) = value {
          guard names.insert(path).inserted else {
            throw damaged(file, "tensor \(quoted(path)) stands twice")
          }
          result.tensors.append(try reader.tensor(index, name: path))
        } else if let value = value.plain, result.fields.count < maximumFields {
          result.fields.append((path, value))
        }
      }
    } catch let error as PickleError {
      throw damaged(file, error.problem)
    }
    return result
  }

  private static func damaged(_ file: String, _ problem: String) -> StorageError {
    StorageError(.damaged, file: file, problem)
  }
}

extension Data {
  /// The same elements in the other byte order.
  fileprivate func swapped(_ size: Int) -> Data {
    var result = Data(self)
    guard size > 1 else { return result }
    result.withUnsafeMutableBytes { bytes in
      for start in stride(from: 0, through: bytes.count - size, by: size) {
        bytes[start..<start + size].reverse()
      }
    }
    return result
  }
}
