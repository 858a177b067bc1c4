import Foundation

/// Downloads a data set with the programs `curl`, `md5sum` and `tar`.
///
/// A download goes to `NAME.part`, where an interrupted one is taken up again; only what has its
/// publisher's checksum gets its name, and only what is whole gets the data's folder.
public struct Fetch {
  public let archive: Archive
  /// The folder into which everything goes.
  public let folder: String
  /// Where the files are; the publisher's address, or a mirror's.
  public let address: String
  /// Called with one line before each longer step.
  public var onStep: (String) -> Void = { _ in }

  /// - Parameter mirror: a folder's address that has files of the same names.
  public init(_ archive: Archive, into folder: String, mirror: String? = nil) {
    self.archive = archive
    self.folder = folder
    let address = mirror ?? archive.address
    self.address = address.hasSuffix("/") ? address : address + "/"
  }

  /// Where the data is afterwards.
  public var destination: String { folder + "/" + archive.folder }

  /// Downloads what is missing, checks and unpacks it.
  ///
  /// - Throws: `FetchError` in one line: what failed, and what to do by hand.
  public func run() throws {
    if FileManager.default.fileExists(atPath: destination), archive.isPacked { return }
    let home = archive.isPacked ? folder : destination
    do {
      try FileManager.default.createDirectory(atPath: home, withIntermediateDirectories: true)
    } catch {
      throw FetchError("\(home): cannot be made: \(oneLine(error))", isOutput: true)
    }
    for file in archive.files {
      let path = home + "/" + file.name
      try download(file, to: path)
      if archive.isPacked { try unpack(path) }
    }
  }

  // MARK: - Download

  private func download(_ file: Archive.File, to path: String) throws {
    if try matches(path, file) { return }
    let part = path + ".part"
    if try !matches(part, file) {
      onStep("downloading \(address)\(file.name)")
      try transfer(file, to: part)
      guard try matches(part, file) else {
        try? FileManager.default.removeItem(atPath: part)
        throw FetchError(
          "\(address)\(file.name): its MD5 is not \(file.md5): not the published file; removed")
      }
    }
    guard rename(part, path) == 0 else {
      throw FetchError("\(path): \(String(cString: strerror(errno)))", isOutput: true)
    }
  }

  /// curl's exit codes for a server that cannot go on in the middle of a file.
  private static let cannotResume: Set<Int32> = [33, 36]

  private func transfer(_ file: Archive.File, to part: String) throws {
    let url = address + file.name
    func curl() throws -> (code: Int32, output: String, error: String) {
      try run(
        "curl",
        [
          "--fail", "--location", "--silent", "--show-error", "--connect-timeout", "20",
          "--speed-limit", "1", "--speed-time", "60", "--continue-at", "-", "--output", part, url,
        ])
    }
    var result = try curl()
    if Self.cannotResume.contains(result.code) || result.error.contains("416") {
      try? FileManager.default.removeItem(atPath: part)
      result = try curl()
    }
    guard result.code == 0 else {
      throw FetchError("\(url): \(result.error); \(byHand(file))")
    }
  }

  private func byHand(_ file: Archive.File) -> String {
    let home = archive.isPacked ? folder : destination
    return "by hand: get \(archive.address)\(file.name) (MD5 \(file.md5)), put it into \(home), "
      + "and run this again"
  }

  private func matches(_ path: String, _ file: Archive.File) throws -> Bool {
    guard FileManager.default.fileExists(atPath: path) else { return false }
    let result = try run("md5sum", ["--", path])
    return result.code == 0 && result.output.hasPrefix(file.md5)
  }

  // MARK: - Unpacking

  private func unpack(_ path: String) throws {
    onStep("unpacking \(path)")
    let work = folder + "/.\(archive.folder).unpacking"
    try? FileManager.default.removeItem(atPath: work)
    defer { try? FileManager.default.removeItem(atPath: work) }
    do {
      try FileManager.default.createDirectory(atPath: work, withIntermediateDirectories: true)
    } catch {
      throw FetchError("\(work): cannot be made: \(oneLine(error))", isOutput: true)
    }
    let result = try run("tar", ["-xzf", path, "-C", work, "--no-same-owner"])
    guard result.code == 0 else { throw FetchError("\(path): tar: \(result.error)") }
    guard rename(work + "/" + archive.folder, destination) == 0 else {
      throw FetchError(
        "\(path): no folder \(archive.folder) in it, or \(destination) cannot be made")
    }
  }

  // MARK: - Programs

  private func run(
    _ program: String, _ arguments: [String]
  ) throws -> (code: Int32, output: String, error: String) {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = [program] + arguments
    let (output, error) = (Pipe(), Pipe())
    process.standardOutput = output
    process.standardError = error
    process.standardInput = FileHandle.nullDevice
    do {
      try process.run()
    } catch {
      throw FetchError("\(program): \(oneLine(error))")
    }
    let text = output.fileHandleForReading.readDataToEndOfFile()
    let problem = error.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    let line = String(decoding: problem, as: UTF8.self).split(whereSeparator: \.isNewline).first
    return (
      process.terminationStatus, String(decoding: text, as: UTF8.self),
      line.map(String.init) ?? "\(program) ended with \(process.terminationStatus)"
    )
  }
}

/// Why a data set could not be fetched, in one line.
public struct FetchError: Error, Equatable, CustomStringConvertible {
  public let description: String
  /// Whether something could not be written, rather than had.
  public let isOutput: Bool

  init(_ description: String, isOutput: Bool = false) {
    self.description = description
    self.isOutput = isOutput
  }
}
