import Foundation

@testable import Storage

/// Damages bytes in a way that depends on the seed alone (SplitMix64, Steele et al. 2014).
struct Mutations: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var word = state
    word = (word ^ word >> 30) &* 0xbf58_476d_1ce4_e5b9
    word = (word ^ word >> 27) &* 0x94d0_49bb_1331_11eb
    return word ^ word >> 31
  }

  /// `good` with one to four places damaged: bits, bytes, lengths, pieces left out, doubled or moved.
  mutating func damaged(_ good: Data) -> Data {
    var bytes = [UInt8](good)
    for _ in 0..<Int.random(in: 1...4, using: &self) where !bytes.isEmpty {
      let place = Int.random(in: bytes.indices, using: &self)
      let piece = place..<min(bytes.count, place + Int.random(in: 1...16, using: &self))
      switch Int.random(in: 0..<7, using: &self) {
      case 0: bytes[place] ^= 1 << UInt8.random(in: 0...7, using: &self)
      case 1: bytes[place] = UInt8.random(in: 0...255, using: &self)
      case 2: for index in piece { bytes[index] = place % 2 == 0 ? 0xff : 0x80 }
      case 3: bytes.removeSubrange(piece)
      case 4: bytes.insert(contentsOf: bytes[piece], at: place)
      case 5: bytes.removeLast(Int.random(in: 0...bytes.count, using: &self))
      default:
        let target = Int.random(in: bytes.indices, using: &self)
        for (index, byte) in zip(target..<bytes.count, bytes[piece]) { bytes[index] = byte }
      }
    }
    return Data(bytes)
  }
}
