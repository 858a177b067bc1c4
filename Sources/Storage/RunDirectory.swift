import Foundation

/// The folder of one training run: `recipe.yaml`, `metrics.jsonl`, `metrics.csv`, `log.txt` and
/// `checkpoints/`. While a value of this type lives, no other process can open the folder.
public final class RunDirectory {
  /// The folder.
  public let path: String
  /// The run's checkpoints.
  public let checkpoints: CheckpointStore
  private let lock: RunLock
  private let metrics: MetricsLog
  private let logFile: AppendFile

  public var recipePath: String { path + "/recipe.yaml" }
  public var metricsPath: String { path + "/metrics.jsonl" }
  public var csvPath: String { path + "/metrics.csv" }
  public var logPath: String { path + "/log.txt" }

  /// Starts a run in a new or empty folder.
  ///
  /// - Parameter recipe: the text of `recipe.yaml`.
  /// - Throws: `StorageError.occupied` for a folder with something in it, and others.
  public static func create(at path: String, recipe: String) throws -> RunDirectory {
    try createFolder(path)
    let lock = try RunLock(folder: path)
    let names = try contents(of: path)
    if names.contains("recipe.yaml") {
      throw StorageError(
        .occupied, file: path, "holds a run already: resume it, or name another folder")
    }
    if let name = names.first {
      throw StorageError(
        .occupied, file: path,
        "not empty (\(quoted(name))) and not a run: name a new or empty folder")
    }
    try AtomicFile.write(Data(recipe.utf8), to: path + "/recipe.yaml")
    return try RunDirectory(path: path, lock: lock)
  }

  /// Opens an existing run to go on with it.
  ///
  /// - Throws: `StorageError`: `missing` where the folder is no run, `occupied` where another
  ///   process uses it, `damaged` where its metrics are not readable.
  public static func open(at path: String) throws -> RunDirectory {
    guard FileManager.default.fileExists(atPath: path + "/recipe.yaml") else {
      throw StorageError(.missing, file: path, "not a run: no recipe.yaml in it")
    }
    return try RunDirectory(path: path, lock: RunLock(folder: path))
  }

  private init(path: String, lock: RunLock) throws {
    self.path = path
    self.lock = lock
    AtomicFile.removeLeftovers(in: path)
    checkpoints = CheckpointStore(folder: path + "/checkpoints")
    try createFolder(checkpoints.folder)
    metrics = try MetricsLog(folder: path)
    logFile = try AppendFile(path + "/log.txt")
  }

  private static func contents(of path: String) throws -> [String] {
    do {
      let names = try FileManager.default.contentsOfDirectory(atPath: path)
      return names.filter { $0 != ".lock" }.sorted()
    } catch {
      throw StorageError(.system, file: path, "cannot be listed")
    }
  }

  /// The text of `recipe.yaml`.
  public func recipe() throws -> String {
    guard let text = String(data: try InputFile.readAll(recipePath), encoding: .utf8) else {
      throw StorageError(.damaged, file: recipePath, "not UTF-8 text")
    }
    return text
  }

  /// Adds one record to the metrics: `epoch` and `step`, then `fields` in their order.
  ///
  /// - Parameter step: how many of the epoch's steps are done, as in a `Checkpoint`, so that
  ///   `truncateMetrics` with a checkpoint's place keeps just what came before it.
  public func append(epoch: Int, step: Int, _ fields: [(String, MetricValue)]) throws {
    try metrics.append(epoch: epoch, step: step, fields)
  }

  /// Drops the metrics behind a checkpoint: those later than `epoch` and, within it, than `step`.
  public func truncateMetrics(afterEpoch epoch: Int, step: Int) throws {
    try metrics.truncate(afterEpoch: epoch, step: step)
  }

  /// Adds a line with the time (UTC) to `log.txt`.
  public func log(_ line: String) throws {
    let text = line.split(whereSeparator: \.isNewline).joined(separator: " ")
    try logFile.append("\(Date().formatted(.iso8601)) \(text)\n")
  }

  /// Syncs the metrics and the log, and saves a checkpoint (see `CheckpointStore.save`).
  @discardableResult
  public func save(_ checkpoint: Checkpoint, keep: Int = 2) throws -> String {
    try metrics.sync()
    try logFile.sync()
    return try checkpoints.save(checkpoint, keep: keep)
  }

  /// Lets other processes open the folder.
  public func close() { lock.release() }
}
