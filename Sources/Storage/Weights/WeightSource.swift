import Foundation

/// Where weights come from, as a user writes it: `FILE`, a run's folder, or `FILE:PART` for one of
/// several networks in it, `best.pth:ema`.
public struct WeightSource: Sendable, Equatable, CustomStringConvertible {
  public var path: String
  /// The name of a dictionary in the file.
  public var part: String?

  public init(path: String, part: String? = nil) {
    (self.path, self.part) = (path, part)
  }

  /// Reads what the user wrote; a file whose own name has a colon is that file.
  public init(_ text: String) {
    (path, part) = (text, nil)
    guard !FileManager.default.fileExists(atPath: text),
      let colon = text.lastIndex(of: ":"), colon > text.startIndex
    else { return }
    let (name, rest) = (String(text[..<colon]), String(text[text.index(after: colon)...]))
    guard !rest.isEmpty, FileManager.default.fileExists(atPath: name) else { return }
    (path, part) = (name, rest)
  }

  public var description: String { path + (part.map { ":" + $0 } ?? "") }

  /// The file itself, or the latest whole checkpoint where `path` is a run's folder.
  ///
  /// - Parameter warn: gets one line for each checkpoint that had to be passed over.
  /// - Throws: `StorageError.missing` where nothing is there.
  public func located(warn: (String) -> Void) throws -> WeightSource {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
      throw StorageError(.missing, file: path, "not found, expected weights")
    }
    guard isFolder.boolValue else { return self }
    guard let latest = CheckpointStore(folder: path + "/checkpoints").latest(warn: warn) else {
      throw StorageError(.missing, file: path, "a folder without a checkpoint, expected weights")
    }
    var source = self
    source.path = latest.path
    return source
  }

  /// Reads the file, or the run's latest checkpoint; see `located` and `WeightFile.read`.
  public func read(
    formats: [WeightFormat] = WeightFormat.all, warn: (String) -> Void = { _ in }
  ) throws -> WeightFile {
    try WeightFile.read(located(warn: warn).path, formats: formats)
  }
}
