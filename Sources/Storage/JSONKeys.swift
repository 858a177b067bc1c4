import Foundation

/// The keys of JSON text, which Foundation's decoder gives neither in order nor twice.
enum JSONKeys {
  private struct Key: Hashable {
    let object: Int
    let name: String
  }

  /// The keys of the outermost object, in order. `json` is valid JSON.
  static func outermost(_ json: Data) -> [String] {
    var keys: [String] = []
    scan(json) { object, name in
      if object == 1 { keys.append(name) }
      return true
    }
    return keys
  }

  /// A key that stands twice in one object, or nil. `json` is valid JSON.
  static func duplicate(_ json: Data) -> String? {
    var seen: Set<Key> = []
    var found: String?
    scan(json) { object, name in
      if !seen.insert(Key(object: object, name: name)).inserted { found = name }
      return found == nil
    }
    return found
  }

  /// Calls `body` with every key and the number of its object (in order of opening, from 1) until
  /// it returns false.
  private static func scan(_ json: Data, _ body: (_ object: Int, _ key: String) -> Bool) {
    let bytes = [UInt8](json)
    var opened = 0
    var open: [Int] = []
    var string = 0..<0
    var place = 0
    while place < bytes.count {
      switch bytes[place] {
      case UInt8(ascii: "{"), UInt8(ascii: "["):
        opened += 1
        open.append(opened)
      case UInt8(ascii: "}"), UInt8(ascii: "]"): _ = open.popLast()
      case UInt8(ascii: "\""):
        string = place..<endOfString(bytes, from: place)
        place = string.upperBound - 1
      case UInt8(ascii: ":"):
        if !body(open.last ?? 0, decoded(bytes[string])) { return }
      default: break
      }
      place += 1
    }
  }

  /// The place behind the closing quote of the string that starts at `start`.
  private static func endOfString(_ bytes: [UInt8], from start: Int) -> Int {
    var place = start + 1
    while place < bytes.count, bytes[place] != UInt8(ascii: "\"") {
      place += bytes[place] == UInt8(ascii: "\\") ? 2 : 1
    }
    return min(place + 1, bytes.count)
  }

  private static func decoded(_ literal: ArraySlice<UInt8>) -> String {
    guard literal.contains(UInt8(ascii: "\\")) else {
      return String(decoding: literal.dropFirst().dropLast(), as: UTF8.self)
    }
    return (try? JSONDecoder().decode(String.self, from: Data(literal)))
      ?? String(decoding: literal, as: UTF8.self)
  }
}
