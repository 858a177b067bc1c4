import Foundation

extension CIFAR {
  /// Decoded records: pixels in NHWC order and one class each.
  struct Records {
    var pixels: [UInt8] = []
    var labels: [Int32] = []
  }

  static func size(of file: String) throws -> Int {
    do {
      let attributes = try FileManager.default.attributesOfItem(atPath: file)
      guard
        attributes[.type] as? FileAttributeType == .typeRegular
          || attributes[.type] as? FileAttributeType == .typeSymbolicLink
      else { throw DatasetError.unreadable(path: file, reason: "not a regular file") }
      let resolved = URL(fileURLWithPath: file).resolvingSymlinksInPath().path
      let size = try FileManager.default.attributesOfItem(atPath: resolved)[.size] as? NSNumber
      return size?.intValue ?? 0
    } catch let error as DatasetError {
      throw error
    } catch {
      throw DatasetError.unreadable(path: file, reason: oneLine(error))
    }
  }

  /// Appends the records of `file`, which has at most `limit` bytes.
  func read(_ file: String, into records: inout Records, limit: Int) throws {
    let bytes = try Self.size(of: file)
    guard bytes <= limit else {
      throw DatasetError.oversized(file: file, bytes: bytes, limit: limit)
    }
    guard bytes > 0 else { throw DatasetError.empty(file: file) }
    let data: Data
    do {
      data = try Data(contentsOf: URL(fileURLWithPath: file))
    } catch {
      throw DatasetError.unreadable(path: file, reason: oneLine(error))
    }
    try decode(data, file: file, into: &records)
  }

  /// Appends the records in `data`; `file` names it in errors.
  func decode(_ data: Data, file: String, into records: inout Records) throws {
    guard !data.isEmpty else { throw DatasetError.empty(file: file) }
    guard data.count % recordBytes == 0 else {
      throw DatasetError.truncated(file: file, bytes: data.count, recordBytes: recordBytes)
    }
    let count = data.count / recordBytes
    let labels = try data.withUnsafeBytes { try self.labels($0, count: count, file: file) }
    let fields = labelFields.count
    let pixels = data.withUnsafeBytes { source in
      [UInt8](unsafeUninitializedCapacity: count * Self.shape.count) { target, filled in
        for record in 0..<count {
          let start = record * recordBytes + fields
          Self.interleave(
            UnsafeRawBufferPointer(rebasing: source[start..<start + Self.shape.count]),
            into: target, at: record * Self.shape.count)
        }
        filled = count * Self.shape.count
      }
    }
    records.labels += labels
    records.pixels += pixels
  }

  private func labels(
    _ bytes: UnsafeRawBufferPointer, count: Int, file: String
  ) throws -> [Int32] {
    let fields = labelFields
    return try (0..<count).map { record in
      var value = 0
      for (place, field) in fields.enumerated() {
        let offset = record * recordBytes + place
        value = Int(bytes[offset])
        guard field.range.contains(value) else {
          throw DatasetError.labelOutOfRange(
            file: file, record: record, offset: offset, field: field.name, value: value,
            range: field.range)
        }
      }
      return Int32(value)
    }
  }

  /// Turns one planar image (C, H, W) into (H, W, C).
  private static func interleave(
    _ planes: UnsafeRawBufferPointer, into target: UnsafeMutableBufferPointer<UInt8>, at start: Int
  ) {
    let area = shape.height * shape.width
    var place = start
    for pixel in 0..<area {
      target.initializeElement(at: place, to: planes[pixel])
      target.initializeElement(at: place + 1, to: planes[pixel + area])
      target.initializeElement(at: place + 2, to: planes[pixel + 2 * area])
      place += 3
    }
  }
}

/// A system error's text without line breaks.
func oneLine(_ error: any Error) -> String {
  let underlying = (error as NSError).userInfo[NSUnderlyingErrorKey] as? NSError
  return (underlying ?? error as NSError).localizedDescription
    .split(whereSeparator: \.isNewline).joined(separator: " ")
}
