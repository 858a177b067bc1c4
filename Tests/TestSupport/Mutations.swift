import Foundation

/// Damages bytes in a way that depends on the seed alone (SplitMix64, Steele et al. 2014).
public struct Mutations: RandomNumberGenerator {
  private var state: UInt64

  public init(seed: UInt64) { state = seed }

  public mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var word = state
    word = (word ^ word >> 30) &* 0xbf58_476d_1ce4_e5b9
    word = (word ^ word >> 27) &* 0x94d0_49bb_1331_11eb
    return word ^ word >> 31
  }

  /// `good` with one to four places damaged: bits, bytes, lengths, pieces cut out, doubled or moved.
  public mutating func damaged(_ good: [UInt8]) -> [UInt8] {
    var bytes = good
    for _ in 0..<Int.random(in: 1...4, using: &self) where !bytes.isEmpty {
      let place = place(in: bytes)
      let piece = place..<min(bytes.count, place + Int.random(in: 1...16, using: &self))
      switch Int.random(in: 0..<7, using: &self) {
      case 0: bytes[place] ^= 1 << UInt8.random(in: 0...7, using: &self)
      case 1: bytes[place] = UInt8.random(in: 0...255, using: &self)
      case 2: for index in piece { bytes[index] = place % 2 == 0 ? 0xff : 0x80 }
      case 3: bytes.removeSubrange(piece)
      case 4: bytes.insert(contentsOf: Array(bytes[piece]), at: place)
      case 5: bytes.removeLast(Int.random(in: 0...bytes.count, using: &self))
      default: overwrite(&bytes, at: self.place(in: bytes), Array(bytes[piece]))
      }
    }
    return bytes
  }

  public mutating func damaged(_ good: Data) -> Data { Data(damaged([UInt8](good))) }

  /// `good` changed as a fuzzer does: damaged, with integers and decimal numbers at the limits of
  /// their types, or with pieces of `other`; at most `limit` bytes.
  public mutating func fuzzed(_ good: [UInt8], _ other: [UInt8], limit: Int) -> [UInt8] {
    var bytes = good
    for _ in 0..<Int.random(in: 1...3, using: &self) where !bytes.isEmpty {
      switch Int.random(in: 0..<8, using: &self) {
      case 0: putInteger(&bytes)
      case 1: putDecimal(&bytes)
      case 2: splice(&bytes, other)
      case 3:
        let piece = piece(of: bytes)
        for _ in 0..<Int.random(in: 1...8, using: &self) {
          bytes.insert(contentsOf: piece, at: place(in: bytes))
        }
      default: bytes = damaged(bytes)
      }
    }
    return bytes.count > limit ? Array(bytes.prefix(limit)) : bytes
  }

  private mutating func place(in bytes: [UInt8]) -> Int {
    // Headers and lengths stand at the beginning more often than elsewhere.
    let isEarly = UInt8.random(in: 0..<4, using: &self) == 0
    return Int.random(in: 0..<(isEarly ? min(bytes.count, 64) : bytes.count), using: &self)
  }

  private mutating func piece(of bytes: [UInt8]) -> [UInt8] {
    let start = place(in: bytes)
    let count = 1 << Int.random(in: 0...10, using: &self)
    return Array(bytes[start..<min(bytes.count, start + count)])
  }

  private func overwrite(_ bytes: inout [UInt8], at place: Int, _ piece: [UInt8]) {
    for (index, byte) in zip(place..<bytes.count, piece) { bytes[index] = byte }
  }

  /// A number of 1, 2, 4 or 8 bytes at a limit of its type, or near a length of the file.
  private mutating func putInteger(_ bytes: inout [UInt8]) {
    let width = 1 << Int.random(in: 0...3, using: &self)
    let top = UInt64.max >> UInt64(64 - 8 * width)
    let place = place(in: bytes)
    let near = [0, 1, top, top >> 1, (top >> 1) + 1, UInt64(bytes.count - place), 1 << 20, 1 << 31]
    let value = near[Int.random(in: near.indices, using: &self)]
    let shift = UInt64(bitPattern: Int64.random(in: -1...1, using: &self))
    let little = (0..<width).map { UInt8(truncatingIfNeeded: (value &+ shift) >> UInt64(8 * $0)) }
    overwrite(&bytes, at: place, Bool.random(using: &self) ? little : little.reversed())
  }

  private static let decimals = [
    "0", "-1", "1", "65536", "2147483648", "4294967296", "9223372036854775807",
    "-9223372036854775808", "18446744073709551616", "1e999", "99999999999999999999999",
  ].map { Array($0.utf8) }

  /// A run of digits, replaced by a number at a limit.
  private mutating func putDecimal(_ bytes: inout [UInt8]) {
    func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }
    let from = place(in: bytes)
    guard let start = bytes[from...].firstIndex(where: isDigit) else { return }
    let end = bytes[start...].firstIndex { !isDigit($0) } ?? bytes.count
    let decimal = Self.decimals[Int.random(in: Self.decimals.indices, using: &self)]
    bytes.replaceSubrange(start..<end, with: decimal)
  }

  /// The beginning and a later part of another file, or a piece of it in the middle.
  private mutating func splice(_ bytes: inout [UInt8], _ other: [UInt8]) {
    guard !other.isEmpty else { return }
    let place = place(in: bytes)
    if Bool.random(using: &self) {
      bytes.replaceSubrange(place..., with: other[min(self.place(in: other), other.count)...])
    } else {
      bytes.insert(contentsOf: piece(of: other), at: place)
    }
  }
}
