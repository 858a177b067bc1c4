import IR

/// Random crop and horizontal flip, CIFAR's standard augmentation (He et al. 2016, section 4.2).
///
/// The image is padded with black on every side, a window of its own size is cut out, and that is
/// mirrored with probability 1/2. The draws depend on (seed, epoch, image id) alone.
public struct Augmentation: Sendable, Equatable {
  /// Black pixels added on each side before the crop.
  public var padding: Int
  /// Whether images are mirrored at random.
  public var flips: Bool

  public init(padding: Int, flips: Bool) {
    self.padding = padding
    self.flips = flips
  }

  /// Images as they are.
  public static let none = Augmentation(padding: 0, flips: false)
  /// CIFAR: pad 4, crop, flip.
  public static let cifar = Augmentation(padding: 4, flips: true)
  /// Digits: pad 1, crop; a mirrored digit is another sign.
  public static let digits = Augmentation(padding: 1, flips: false)

  /// What the field uses for `dataset`.
  public static func standard(for dataset: Dataset) -> Augmentation {
    dataset.name == "digits" ? .digits : .cifar
  }

  /// One image's draw: the window's offset in pixels, each in `-padding...padding`, and the mirror.
  struct Draw: Equatable {
    var down = 0
    var right = 0
    var flip = false
  }

  func draw(_ stream: RandomStream, id: Int32) -> Draw {
    guard self != .none else { return Draw() }
    let words = stream.words(item: Int(id), index: 0)
    let range = UInt64(2 * padding + 1)
    return Draw(
      down: Int((UInt64(words.0) * range) >> 32) - padding,
      right: Int((UInt64(words.1) * range) >> 32) - padding,
      flip: flips && (words.2 >> 31) == 1)
  }
}
