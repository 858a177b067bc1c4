import Foundation

/// What a file of weights holds, whatever its format.
public struct WeightFile: Sendable {
  /// Where it was read; named in errors.
  public var file: String
  /// For people: `safetensors`, `PyTorch`.
  public var format: String
  /// Under their whole names: the keys of nested dictionaries joined by dots.
  public var tensors: [StoredTensor] = []
  /// Numbers and texts beside the tensors; texts of a pickle are cut at 80 characters.
  public var fields: [(name: String, value: JSON)] = []
  /// The network that a run's weights are of, as IR text.
  public var network: String?
  /// Whether the tensors stand in the order of the `state_dict`.
  public var isOrdered: Bool

  public init(file: String, format: String, isOrdered: Bool) {
    (self.file, self.format, self.isOrdered) = (file, format, isOrdered)
  }

  /// The text of a field, or nil.
  public func text(_ name: String) -> String? {
    if case .string(let text)? = fields.first(where: { $0.name == name })?.value { return text }
    return nil
  }

  /// Tensors that are there already; `file` is for errors.
  public init(file: String, _ tensors: [StoredTensor]) {
    self.init(file: file, format: "memory", isOrdered: false)
    self.tensors = tensors
  }

  /// Reads weights of any format, which the content tells.
  ///
  /// - Parameter formats: those that are tried, in this order.
  /// - Throws: `StorageError`: `missing`; `damaged` for no known format and for what is wrong in it.
  public static func read(
    _ path: String, formats: [WeightFormat] = WeightFormat.all
  ) throws -> WeightFile {
    let file = try InputFile(path)
    // What is no file of weights is not read in full to find that out.
    let start = try file.read(at: 0, count: min(file.size, 1 << 16))
    guard start.count == file.size || formats.contains(where: { $0.matches(start) }) else {
      throw unknown(path, formats)
    }
    return try decode(file.read(at: 0, count: file.size), file: path, formats: formats)
  }

  /// Reads a file's contents from memory.
  public static func decode(
    _ data: Data, file: String, formats: [WeightFormat] = WeightFormat.all
  ) throws -> WeightFile {
    // A damaged file is one of the format that its name tells, where its content tells none.
    let format = formats.first { $0.matches(data) } ?? formats.first { $0.isNamed(by: file) }
    guard let format else { throw unknown(file, formats) }
    return try format.decode(data, file)
  }

  private static func unknown(_ file: String, _ formats: [WeightFormat]) -> StorageError {
    let names = formats.map(\.name).joined(separator: ", ")
    return StorageError(.damaged, file: file, "weights of no known format, expected \(names)")
  }
}

/// A file format of weights. A new one is a value of this type in `all`.
public struct WeightFormat: Sendable {
  public var name: String
  /// With which names of files end, without the dot; the first is the one that clat gives.
  public var extensions: [String]
  /// Whether data starts as such a file does.
  public var matches: @Sendable (_ data: Data) -> Bool
  /// Reads a file's contents; `file` is for errors.
  public var decode: @Sendable (_ data: Data, _ file: String) throws -> WeightFile
  /// Writes tensors to a path; nil where the format is only read.
  public var write: (@Sendable (_ tensors: [StoredTensor], _ path: String) throws -> Void)?

  public init(
    name: String, extensions: [String], matches: @escaping @Sendable (Data) -> Bool,
    decode: @escaping @Sendable (Data, String) throws -> WeightFile,
    write: (@Sendable ([StoredTensor], String) throws -> Void)? = nil
  ) {
    (self.name, self.extensions, self.matches) = (name, extensions, matches)
    (self.decode, self.write) = (decode, write)
  }

  /// Whether a file's name ends as this format's do.
  public func isNamed(by file: String) -> Bool {
    extensions.contains((file as NSString).pathExtension.lowercased())
  }

  public static let all: [WeightFormat] = [safetensors, pytorch]

  public static let safetensors = WeightFormat(
    name: "safetensors", extensions: ["safetensors"],
    matches: { $0.count > 8 && $0[$0.startIndex + 8] == UInt8(ascii: "{") },
    decode: { data, file in
      let contents = try Safetensors.decode(data, file: file)
      var result = WeightFile(file: file, format: "safetensors", isOrdered: false)
      result.tensors = contents.tensors
      // A checkpoint of clat keeps its texts in one entry.
      let own = contents.metadata["clat"].flatMap {
        try? JSONDecoder().decode([String: String].self, from: Data($0.utf8))
      }
      let texts = (own ?? [:]).merging(contents.metadata.filter { own == nil || $0.key != "clat" })
      {
        one, _ in one
      }
      result.network = texts["network"]
      result.fields = texts.filter { $0.key != "network" }.sorted { $0.key < $1.key }
        .map { ($0.key, .string($0.value)) }
      return result
    },
    write: { try Safetensors(tensors: $0, metadata: ["format": "pt"]).write(to: $1) })

  public static let pytorch = WeightFormat(
    name: "PyTorch (pth)", extensions: ["pth", "pt", "th", "tar", "ckpt", "bin"],
    matches: TorchFile.matches, decode: TorchFile.decode, write: TorchFile.write)
}
