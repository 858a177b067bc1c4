import Foundation
import Models

/// Weights that a model keeps in files beside it (ONNX's external data).
///
/// Only regular files within the model's folder are read, whatever a model names, and of each no
/// more bytes than it has, so that many tensors of one place do not fill the memory.
struct ExternalData {
  /// The model's folder; nil where the model is bytes alone.
  let folder: String?
  private var files: [String: (handle: FileHandle, size: Int, rest: Int)] = [:]
  /// Of all files that were opened.
  private(set) var totalBytes = 0

  init(folder: String?) { self.folder = folder }

  /// Brings a tensor's numbers into the tensor, where they are elsewhere.
  ///
  /// - Throws: ModelError in one line that names the tensor and its file.
  mutating func load(_ tensor: inout Onnx_TensorProto) throws {
    guard tensor.dataLocation == .external, folder != nil else { return }
    let entries = Dictionary(
      tensor.externalData.map { ($0.key, $0.value) }, uniquingKeysWith: { first, _ in first })
    let name = entries["location"] ?? ""
    do {
      tensor.rawData = try read(
        name, offset: number(entries["offset"]), length: number(entries["length"]))
    } catch let error as ModelError {
      throw ModelError("tensor '\(tensor.name)' is kept in '\(name)': \(error.message)")
    }
    tensor.externalData = []
    tensor.dataLocation = .default
  }

  private func number(_ text: String?) throws -> Int? {
    guard let text else { return nil }
    guard let number = Int(text), number >= 0 else {
      throw ModelError("offset and length must be whole numbers, found '\(text)'")
    }
    return number
  }

  private mutating func read(_ name: String, offset: Int?, length: Int?) throws -> Data {
    var file = try files[name] ?? open(name)
    let offset = offset ?? 0
    let length = length ?? max(0, file.size - offset)
    guard offset <= file.size, length <= file.size - offset else {
      throw ModelError("bytes \(offset) to \(offset &+ length) of \(file.size)")
    }
    file.rest -= length
    guard file.rest >= 0 else { throw ModelError("its tensors lie on top of each other") }
    files[name] = file
    guard (try? file.handle.seek(toOffset: UInt64(offset))) != nil,
      let data = try? file.handle.read(upToCount: length) ?? Data(), data.count == length
    else { throw ModelError("it cannot be read") }
    return data
  }

  private mutating func open(
    _ name: String
  ) throws -> (handle: FileHandle, size: Int, rest: Int) {
    let parts = name.split(separator: "/", omittingEmptySubsequences: false)
    let isWithin = !parts.contains { ["", ".", ".."].contains($0) } && !name.contains("\0")
    let home = URL(fileURLWithPath: folder ?? ".", isDirectory: true).resolvingSymlinksInPath()
    let file = home.appendingPathComponent(name).resolvingSymlinksInPath()
    guard isWithin, file.path.hasPrefix(home.path == "/" ? "/" : home.path + "/") else {
      throw ModelError("expected a file in the model's folder")
    }
    let attributes = try? FileManager.default.attributesOfItem(atPath: file.path)
    guard let attributes, attributes[.type] as? FileAttributeType == .typeRegular,
      let size = attributes[.size] as? Int, let handle = FileHandle(forReadingAtPath: file.path)
    else { throw ModelError("there is no such file beside the model") }
    totalBytes += size
    return (handle, size, size)
  }
}
