import IR

/// What is drawn for a training image: a crop and a mirror.
///
/// Either the image is padded with black on every side and a window of its own size is cut out
/// (He et al. 2016, section 4.2), or a part of the picture of random area and aspect ratio is
/// scaled to the image's size (Szegedy et al. 2015); then it is mirrored with probability 1/2. The
/// draws depend on (seed, epoch, image id) alone.
public struct Augmentation: Sendable, Equatable {
  /// Black pixels added on each side before the crop.
  public var padding: Int
  /// Whether images are mirrored at random.
  public var flips: Bool
  /// The least share of a picture's area that is cut out and scaled; nil for none of that.
  public var leastArea: Double?

  public init(padding: Int, flips: Bool, leastArea: Double? = nil) {
    self.padding = padding
    self.flips = flips
    self.leastArea = leastArea
  }

  /// Images as they are.
  public static let none = Augmentation(padding: 0, flips: false)
  /// CIFAR: pad 4, crop, flip.
  public static let cifar = Augmentation(padding: 4, flips: true)
  /// Digits: pad 1, crop; a mirrored digit is another sign.
  public static let digits = Augmentation(padding: 1, flips: false)
  /// MNIST: pad 2, crop.
  public static let mnist = Augmentation(padding: 2, flips: false)
  /// ImageNet: a random-resized-crop of 8 % of the area or more, flip.
  public static let imagenet = Augmentation(padding: 0, flips: true, leastArea: 0.08)

  /// One image's draw.
  struct Draw: Equatable {
    /// The window's offset in pixels, each in `-padding...padding`.
    var down = 0
    var right = 0
    var flip = false
  }

  func draw(_ stream: RandomStream, id: Int32) -> Draw {
    guard padding > 0 || flips else { return Draw() }
    let words = stream.words(item: Int(id), index: 0)
    let range = UInt64(2 * padding + 1)
    return Draw(
      down: Int((UInt64(words.0) * range) >> 32) - padding,
      right: Int((UInt64(words.1) * range) >> 32) - padding,
      flip: flips && (words.2 >> 31) == 1)
  }

  /// The part of the picture that becomes the image, where one is drawn.
  func region(_ stream: RandomStream, id: Int32) -> RegionDraw? {
    leastArea.map { RegionDraw(leastArea: $0, stream: stream, id: Int(id)) }
  }

  /// - Throws: `DatasetError.invalid`.
  func check() throws {
    guard (0...1024).contains(padding) else {
      throw DatasetError.invalid("padding \(padding): expected 0...1024")
    }
    guard leastArea.map({ $0 > 0 && $0 <= 1 }) ?? true else {
      throw DatasetError.invalid("least area \(leastArea ?? 0): expected above 0 and at most 1")
    }
  }
}
