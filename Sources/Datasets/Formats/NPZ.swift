import Foundation
import Storage

/// NumPy archives of images and labels, as sets of generated images are published (DDPM, EDM; Wang
/// et al. 2023): `image` and `label`, `images` and `labels`, or `x` and `y`.
///
/// Images are bytes in NHWC order. What the archive stores uncompressed is mapped and takes no
/// memory; a deflated array is decompressed once.
enum NPZ {
  private static let keys = [("image", "label"), ("images", "labels"), ("x", "y")]

  static func load(_ path: String, split: Split) throws -> Dataset {
    _ = try CIFAR.size(of: path)
    let data: Data
    do {
      data = try Data(contentsOf: URL(fileURLWithPath: path), options: .alwaysMapped)
    } catch {
      throw DatasetError.unreadable(path: path, reason: oneLine(error))
    }
    return try decode(data, file: path, split: split)
  }

  /// The data set in an archive's bytes; `file` names it in errors.
  static func decode(_ data: Data, file: String, split: Split) throws -> Dataset {
    guard !data.isEmpty else { throw DatasetError.empty(file: file) }
    let archive = try readingArchive { try ZipArchive(data, file: file) }
    let names = Set(archive.entries.map(\.name))
    func pair(_ suffix: String) -> (String, String)? {
      keys.map { ("\($0.0)\(suffix).npy", "\($0.1)\(suffix).npy") }
        .first { names.contains($0.0) && names.contains($0.1) }
    }
    // Keras' archives have x_train, y_train, x_test and y_test.
    guard let (image, label) = pair("_\(split.rawValue)") ?? pair("") else {
      let found = names.sorted().prefix(6).joined(separator: ", ")
      throw DatasetError.damaged(
        file: file,
        reason: "arrays \(found.isEmpty ? "(none)" : found); expected image and label, images and "
          + "labels, or x and y")
    }
    let images = try array(archive, image, file)
    let labels = try array(archive, label, file).labels()
    return try dataset(images, labels, split: split, file: file)
  }

  private static func array(
    _ archive: ZipArchive, _ name: String, _ file: String
  ) throws -> NPY {
    guard let entry = archive[name] else { throw DatasetError.empty(file: file) }
    let contents = try readingArchive { try archive.contents(entry) }
    return try NPY(contents, file: "\(file): \(name)", isMapped: !entry.isCompressed)
  }

  private static func dataset(
    _ images: NPY, _ labels: [Int32], split: Split, file: String
  ) throws -> Dataset {
    guard images.type == "|u1" else { throw images.mismatch("bytes (uint8)") }
    guard images.shape.count == 3 || images.shape.count == 4 else {
      throw images.mismatch("shape [N, height, width, channels]")
    }
    let channels = images.shape.count == 4 ? images.shape[3] : 1
    guard channels == 1 || channels == 3 else {
      throw images.mismatch("1 or 3 channels at the end, [N, height, width, channels]")
    }
    guard images.shape[1...2].allSatisfy({ (1...65_536).contains($0) }) else {
      throw images.mismatch("images of at least one pixel")
    }
    guard images.shape[0] == labels.count else {
      throw images.mismatch("\(labels.count) images, as many as there are labels")
    }
    guard let most = labels.max(), images.shape[0] > 0 else {
      throw DatasetError.empty(file: file)
    }
    let shape = ImageShape(height: images.shape[1], width: images.shape[2], channels: channels)
    // A set of generated images may lack the last classes of ten; none has fewer.
    let classes = max(Int(most) + 1, 10)
    return try Dataset(
      name: ((file as NSString).lastPathComponent as NSString).deletingPathExtension, split: split,
      shape: shape,
      images: ByteImages(shape: shape, storage: .data(images.data, isMapped: images.isMapped)),
      labels: labels, classes: (0..<classes).map(String.init),
      augmentation: channels == 1 ? .mnist : .cifar)
  }
}
