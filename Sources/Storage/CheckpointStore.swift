import Foundation

/// The checkpoints in one folder, `epoch-00012-step-000391.safetensors` and the like.
public struct CheckpointStore: Sendable {
  public let folder: String

  /// - Parameter folder: need not exist before the first `save`.
  public init(folder: String) { self.folder = folder }

  /// Saves `checkpoint` and then deletes all but the `keep` latest.
  ///
  /// Files of a later epoch or step are deleted too: they belong to a course that the run has left.
  /// Files with other names are never touched.
  ///
  /// - Returns: the file's path.
  /// - Throws: `StorageError`; the earlier checkpoints are then all there.
  @discardableResult
  public func save(_ checkpoint: Checkpoint, keep: Int = 2) throws -> String {
    guard keep > 0 else {
      throw StorageError(.invalid, file: folder, "keep \(keep) checkpoints: at least 1 expected")
    }
    guard checkpoint.epoch >= 0, checkpoint.step >= 0 else {
      throw StorageError(
        .invalid, file: folder, "epoch \(checkpoint.epoch), step \(checkpoint.step): expected >= 0")
    }
    try createFolder(folder)
    AtomicFile.removeLeftovers(in: folder)
    let path = self.path(epoch: checkpoint.epoch, step: checkpoint.step)
    try checkpoint.write(to: path)
    let place = (checkpoint.epoch, checkpoint.step)
    let entries = self.entries()
    let stale =
      entries.filter { ($0.epoch, $0.step) > place }
      + entries.filter { ($0.epoch, $0.step) <= place }.dropLast(keep)
    for entry in stale { unlink(entry.path) }
    return path
  }

  /// The checkpoints' paths, earliest first.
  public func paths() -> [String] { entries().map(\.path) }

  /// The latest checkpoint that is whole, or nil where there is none.
  ///
  /// - Parameter warn: gets one line for each later file that had to be passed over.
  public func latest(warn: (String) -> Void) -> (path: String, checkpoint: Checkpoint)? {
    for entry in entries().reversed() {
      do {
        return (entry.path, try Checkpoint.read(entry.path))
      } catch {
        warn("\(error); trying the checkpoint before it")
      }
    }
    return nil
  }

  private func path(epoch: Int, step: Int) -> String {
    folder + "/epoch-\(padded(epoch, 5))-step-\(padded(step, 6)).safetensors"
  }

  private func padded(_ number: Int, _ width: Int) -> String {
    let digits = String(number)
    return String(repeating: "0", count: max(0, width - digits.count)) + digits
  }

  private func entries() -> [(epoch: Int, step: Int, path: String)] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    return names.compactMap { name in
      guard
        let match = name.wholeMatch(of: /epoch-(\d+)-step-(\d+)\.safetensors/),
        let epoch = Int(match.1), let step = Int(match.2)
      else { return nil }
      return (epoch, step, folder + "/" + name)
    }.sorted { ($0.epoch, $0.step) < ($1.epoch, $1.step) }
  }
}

/// Creates a folder and those above it. Throws `StorageError`.
func createFolder(_ path: String) throws {
  do {
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  } catch {
    let cause = (error as NSError).userInfo[NSUnderlyingErrorKey] as? NSError
    let code = cause?.domain == NSPOSIXErrorDomain ? Int32(cause?.code ?? 0) : EIO
    throw StorageError.system("create the folder", file: path, code: code, needed: 0)
  }
}
