/// The counter-based generator Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy
/// as 1, 2, 3").
///
/// A draw depends on its counter and key alone, never on the order or the thread in which it is
/// made.
public enum Philox {
  /// Four random words for a counter of four words and a key of two.
  public static func words(
    counter: (UInt32, UInt32, UInt32, UInt32), key: (UInt32, UInt32)
  ) -> (UInt32, UInt32, UInt32, UInt32) {
    var (c0, c1, c2, c3) = counter
    var (k0, k1) = key
    for _ in 0..<10 {
      let product0 = UInt64(c0) &* 0xD251_1F53
      let product1 = UInt64(c2) &* 0xCD9E_8D57
      (c0, c1, c2, c3) = (
        UInt32(truncatingIfNeeded: product1 >> 32) ^ c1 ^ k0, UInt32(truncatingIfNeeded: product1),
        UInt32(truncatingIfNeeded: product0 >> 32) ^ c3 ^ k1, UInt32(truncatingIfNeeded: product0)
      )
      k0 &+= 0x9E37_79B9
      k1 &+= 0xBB67_AE85
    }
    return (c0, c1, c2, c3)
  }

  /// A uniform number in [0, 1) with 24 random bits, exactly representable as Float.
  public static func uniform(_ word: UInt32) -> Float { Float(word >> 8) * 0x1p-24 }
}

/// A stream of random words named by what it is for, so that no two uses ever share a draw.
public struct RandomStream: Sendable {
  /// What a draw is used for; part of the counter.
  public enum Purpose: UInt32, Sendable {
    case weights = 1, shuffle, augmentation, attackStart, evaluation, selection, criticality
    case dropout

    /// The counter's word for a network's dropouts, each of which has draws of its own.
    public static func dropout(layer: Int) -> UInt32 {
      Purpose.dropout.rawValue | UInt32(truncatingIfNeeded: layer) << 8
    }
  }

  private let key: (UInt32, UInt32)
  private let epoch: UInt32
  private let purpose: UInt32

  public init(seed: UInt64, epoch: Int, purpose: Purpose) {
    key = (UInt32(truncatingIfNeeded: seed), UInt32(truncatingIfNeeded: seed >> 32))
    self.epoch = UInt32(truncatingIfNeeded: epoch)
    self.purpose = purpose.rawValue
  }

  /// Four random words for an item (an image, a tensor) and an index within it.
  public func words(item: Int, index: Int) -> (UInt32, UInt32, UInt32, UInt32) {
    Philox.words(
      counter: (
        UInt32(truncatingIfNeeded: index), UInt32(truncatingIfNeeded: item), epoch, purpose
      ), key: key)
  }

  /// The operand `stream` of the op `random_start`: seed low, seed high, epoch, purpose.
  public var operand: [Int32] { [key.0, key.1, epoch, purpose].map(Int32.init(bitPattern:)) }
}
