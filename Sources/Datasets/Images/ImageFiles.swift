import CImages
import Foundation

/// JPEG and PNG files that are decoded when they are read.
struct ImageFiles: ImageSource {
  let shape: ImageShape
  /// The shorter side, in pixels, to which a picture is scaled before its middle is cut out.
  let resize: Int
  /// By row: the folder's place in `folders`, and the file in it.
  let files: [(folder: Int32, name: String)]
  let folders: [String]

  var count: Int { files.count }
  var residentBytes: Int { files.reduce(0) { $0 + 24 + $1.name.utf8.count } }
  var decodes: Bool { true }

  func path(_ row: Int) -> String { folders[Int(files[row].folder)] + "/" + files[row].name }

  func withImage(
    _ row: Int, _ region: RegionDraw?, _ workspace: ImageWorkspace,
    _ body: (UnsafePointer<UInt8>) -> Void
  ) throws {
    let path = path(row)
    try ImageFile.read(path, into: workspace)
    let size = try ImageFile.inspect(workspace, path)
    guard let region else {
      try ImageFile.decode(workspace, path, channels: shape.channels)
      return try workspace.withResampled(workspace.picture, middle(of: workspace.picture), body)
    }
    let box = region.box(in: (size.width, size.height))
    let reduction = reduction(for: box)
    try ImageFile.decode(workspace, path, channels: shape.channels, reduction: reduction)
    let decoded = (width: Int(workspace.picture.width), height: Int(workspace.picture.height))
    let isReduced = decoded != (size.width, size.height)
    let part = isReduced ? box.reduced(by: reduction, to: decoded) : box
    try workspace.withResampled(workspace.picture, part.scaled(to: shape), body)
  }

  /// What a JPEG may be decoded at: as small as leaves the part twice the pixels in each direction
  /// that are wanted, which Pillow calls a reducing gap of 2.
  private func reduction(for box: RegionDraw.Box) -> Int {
    [8, 4, 2].first { box.width / $0 >= 2 * shape.width && box.height / $0 >= 2 * shape.height }
      ?? 1
  }

  /// torchvision's Resize and CenterCrop.
  private func middle(of picture: clat_image) -> clat_resample_box {
    let (width, height) = (Int(picture.width), Int(picture.height))
    let scaledWidth = width <= height ? resize : resize * width / height
    let scaledHeight = height <= width ? resize : resize * height / width
    func middle(_ whole: Int, _ part: Int) -> Int {
      Int((Double(whole - part) / 2).rounded(.toNearestOrEven))
    }
    return clat_resample_box(
      left: 0, top: 0, width: Int32(width), height: Int32(height),
      scaled_width: Int32(scaledWidth), scaled_height: Int32(scaledHeight),
      window_left: Int32(middle(scaledWidth, shape.width)),
      window_top: Int32(middle(scaledHeight, shape.height)),
      window_width: Int32(shape.width), window_height: Int32(shape.height))
  }
}

/// One JPEG or PNG file.
enum ImageFile {
  /// The largest file that is read.
  static let mostBytes = 1 << 28

  /// Reads the file's bytes into `workspace.file`, whose length becomes theirs.
  static func read(_ path: String, into workspace: ImageWorkspace) throws {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw failure(path) }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw failure(path) }
    let size = Int(status.st_size)
    guard status.st_mode & S_IFMT == S_IFREG else {
      throw DatasetError.unreadable(path: path, reason: "not a regular file")
    }
    guard size <= mostBytes else {
      throw DatasetError.oversized(file: path, bytes: size, limit: mostBytes)
    }
    if workspace.file.count > size { workspace.file.removeLast(workspace.file.count - size) }
    if workspace.file.count < size {
      workspace.file.append(contentsOf: repeatElement(0, count: size - workspace.file.count))
    }
    var filled = 0
    while filled < size {
      let got = workspace.file.withUnsafeMutableBytes {
        Foundation.read(descriptor, $0.baseAddress.unsafelyUnwrapped + filled, size - filled)
      }
      if got < 0, errno == EINTR { continue }
      guard got > 0 else { throw failure(path) }
      filled += got
    }
  }

  private static func failure(_ path: String) -> DatasetError {
    errno == ENOENT
      ? .missing(path: path, expected: "a JPEG or PNG file")
      : .unreadable(path: path, reason: String(cString: strerror(errno)))
  }

  /// Extent and channels that the header of `workspace.file` says.
  static func inspect(
    _ workspace: ImageWorkspace, _ path: String
  ) throws -> (width: Int, height: Int, channels: Int) {
    var info = clat_image_info()
    try check(path) { message in
      workspace.file.withUnsafeBufferPointer {
        clat_image_inspect($0.baseAddress, $0.count, &info, message)
      }
    }
    return (Int(info.width), Int(info.height), Int(info.channels))
  }

  /// Decodes `workspace.file` into `workspace.picture`.
  static func decode(
    _ workspace: ImageWorkspace, _ path: String, channels: Int, reduction: Int = 1
  ) throws {
    try check(path) { message in
      workspace.file.withUnsafeBufferPointer {
        clat_image_decode(
          $0.baseAddress, $0.count, Int32(channels), Int32(reduction), &workspace.picture, message)
      }
    }
  }

  /// Runs a C function; its message becomes an error that names the file.
  static func check(
    _ path: String, _ body: (UnsafeMutablePointer<CChar>?) -> Int32
  ) throws {
    var message = [CChar](repeating: 0, count: Int(CLAT_IMAGE_MESSAGE))
    let failed = message.withUnsafeMutableBufferPointer { body($0.baseAddress) }
    guard failed == 0 else {
      let bytes = message.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
      let text = String(decoding: bytes, as: UTF8.self)
      throw DatasetError.damaged(file: path, reason: text)
    }
  }
}
