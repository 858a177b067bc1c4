import Foundation

extension Safetensors {
  /// Reads and checks a file: header, types, shapes, and offsets that cover the data without gap.
  ///
  /// - Throws: `StorageError`: `missing`, or `damaged` with the file, the tensor and what was
  ///   expected.
  public static func read(_ path: String) throws -> Safetensors {
    let file = try InputFile(path)
    let length = try headerLength(
      file.read(at: 0, count: min(8, file.size)), fileBytes: file.size, file: path)
    let header = try file.read(at: 8, count: length)
    let places = try checkedPlaces(header, dataBytes: file.size - 8 - length, file: path)
    return places.tensors(in: try file.read(at: 8 + length, count: file.size - 8 - length))
  }

  /// Reads a file's contents from memory; `file` names it in errors.
  public static func decode(_ data: Data, file: String) throws -> Safetensors {
    let length = try headerLength(Data(data.prefix(8)), fileBytes: data.count, file: file)
    let body = data.dropFirst(8 + length)
    let header = Data(data.dropFirst(8).prefix(length))
    return try checkedPlaces(header, dataBytes: body.count, file: file).tensors(in: body)
  }

  private static func headerLength(_ start: Data, fileBytes: Int, file: String) throws -> Int {
    guard start.count == 8 else {
      throw damaged(file, "\(fileBytes) bytes, expected at least the 8 of the header's length")
    }
    let length = start.withUnsafeBytes { UInt64(littleEndian: $0.loadUnaligned(as: UInt64.self)) }
    guard length <= UInt64(maximumHeaderBytes) else {
      throw damaged(file, "header of \(length) bytes, expected at most \(maximumHeaderBytes)")
    }
    guard Int(length) <= fileBytes - 8 else {
      throw damaged(
        file, "truncated: header of \(length) bytes, only \(fileBytes - 8) are there")
    }
    return Int(length)
  }

  private static func checkedPlaces(_ json: Data, dataBytes: Int, file: String) throws -> Places {
    guard json.first == UInt8(ascii: "{") else {
      throw damaged(file, "header: expected a JSON object")
    }
    let header: Header
    do {
      header = try JSONDecoder().decode(Header.self, from: json)
    } catch {
      throw damaged(file, "header: " + describe(error))
    }
    if let name = JSONKeys.duplicate(json) {
      throw damaged(file, "header: \(quoted(name)) stands twice")
    }
    var places = Places(metadata: header.metadata)
    for (name, entry) in header.entries.sorted(by: { $0.value.precedes($1.value, $0.key, $1.key) })
    {
      try places.add(name, entry, file: file)
    }
    guard places.end == dataBytes else {
      throw damaged(
        file,
        dataBytes < places.end
          ? "truncated: \(dataBytes) bytes of data, expected \(places.end)"
          : "\(dataBytes - places.end) bytes behind the last tensor")
    }
    return places
  }

  private static func describe(_ error: any Error) -> String {
    let context: DecodingError.Context? =
      switch error as? DecodingError {
      case .typeMismatch(_, let context), .valueNotFound(_, let context),
        .keyNotFound(_, let context), .dataCorrupted(let context):
        context
      default: nil
      }
    let path = context?.codingPath ?? []
    let place =
      path.isEmpty ? "" : path.map { quoted($0.stringValue) }.joined(separator: " ") + ": "
    let problem = context?.debugDescription ?? "not valid JSON"
    return place + problem.split(whereSeparator: \.isNewline).joined(separator: " ").prefix(200)
  }
}

private func damaged(_ file: String, _ problem: String) -> StorageError {
  StorageError(.damaged, file: file, problem)
}

/// The header's JSON.
private struct Header: Decodable {
  struct Entry: Decodable {
    let dtype: String
    let shape: [Int]
    let offsets: [Int]

    enum CodingKeys: String, CodingKey {
      case dtype, shape
      case offsets = "data_offsets"
    }

    /// The order of the data; empty tensors before the one that starts where they stand.
    func precedes(_ other: Entry, _ name: String, _ otherName: String) -> Bool {
      offsets == other.offsets
        ? name < otherName : offsets.lexicographicallyPrecedes(other.offsets)
    }
  }

  struct Name: CodingKey {
    let stringValue: String
    var intValue: Int? { nil }
    init(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
  }

  var metadata: [String: String] = [:]
  var entries: [String: Entry] = [:]

  init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: Name.self)
    for name in container.allKeys {
      if name.stringValue == "__metadata__" {
        metadata = try container.decode([String: String].self, forKey: name)
      } else {
        entries[name.stringValue] = try container.decode(Entry.self, forKey: name)
      }
    }
  }
}

/// Checked tensors without their bytes, in the order of the data.
private struct Places {
  let metadata: [String: String]
  var end = 0
  private var list: [(name: String, type: StoredType, shape: [Int], range: Range<Int>)] = []

  init(metadata: [String: String]) { self.metadata = metadata }

  mutating func add(_ name: String, _ entry: Header.Entry, file: String) throws {
    let place = "tensor \(quoted(name)): "
    guard let type = StoredType(rawValue: entry.dtype) else {
      let known = StoredType.allCases.map(\.rawValue).joined(separator: ", ")
      throw damaged(file, place + "dtype \(quoted(entry.dtype)), expected one of \(known)")
    }
    guard let bytes = StoredTensor.byteCount(type, entry.shape) else {
      throw damaged(file, place + "shape \(entry.shape.prefix(8)) is not possible")
    }
    guard entry.offsets.count == 2, entry.offsets[0] >= 0, entry.offsets[1] >= entry.offsets[0]
    else { throw damaged(file, place + "data_offsets \(entry.offsets.prefix(4)), expected 2") }
    let (start, stop) = (entry.offsets[0], entry.offsets[1])
    guard stop - start == bytes else {
      throw damaged(
        file,
        place + "\(stop - start) bytes, expected \(bytes) for \(type.rawValue) "
          + "of shape \(entry.shape.prefix(8))")
    }
    guard start == end else {
      throw damaged(file, place + "starts at byte \(start) of the data, expected \(end)")
    }
    end = stop
    list.append((name, type, entry.shape, start..<stop))
  }

  func tensors(in body: Data) -> Safetensors {
    Safetensors(
      tensors: list.map { place in
        StoredTensor(
          checked: place.name, place.type, place.shape,
          body[
            (body.startIndex + place.range.lowerBound)..<(body.startIndex + place.range.upperBound)]
        )
      }, metadata: metadata)
  }
}
