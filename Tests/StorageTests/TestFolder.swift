import Foundation

@testable import Storage

/// A folder for one test, removed when the value goes.
final class TestFolder {
  let path: String

  init() throws {
    path = NSTemporaryDirectory() + "clat-storage-" + UUID().uuidString
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  func file(_ name: String) -> String { path + "/" + name }

  func text(_ name: String) -> String {
    String(decoding: FileManager.default.contents(atPath: file(name)) ?? Data(), as: UTF8.self)
  }

  @discardableResult
  func write(_ name: String, _ bytes: Data) throws -> String {
    try bytes.write(to: URL(fileURLWithPath: file(name)))
    return file(name)
  }

  var names: [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []).sorted()
  }
}

func message(_ body: () throws -> some Any) -> String {
  do {
    _ = try body()
    return "no error"
  } catch {
    return String(describing: error)
  }
}

/// The bytes of a safetensors file with this header and this much data.
func safetensors(_ header: String, data: Int) -> Data {
  var bytes = withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian) { Data($0) }
  bytes += Data(header.utf8)
  return bytes + Data((0..<data).map { UInt8(truncatingIfNeeded: $0) })
}
