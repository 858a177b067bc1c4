import CImages
import Foundation

/// Where a data set's images come from: rows of equal shape, read one by one from any thread.
protocol ImageSource: Sendable {
  /// Rows.
  var count: Int { get }
  /// Bytes that it keeps in memory; pages of mapped files do not count.
  var residentBytes: Int { get }
  /// Whether reading a row takes so long that several threads pay.
  var decodes: Bool { get }

  /// Calls `body` with a row's `shape.count` bytes in NHWC order.
  ///
  /// - Parameters:
  ///   - region: a part of the picture to be scaled to the shape; nil for the source's own view.
  ///   - workspace: owned by the calling thread.
  /// - Throws: `DatasetError` naming the file.
  func withImage(
    _ row: Int, _ region: RegionDraw?, _ workspace: ImageWorkspace,
    _ body: (UnsafePointer<UInt8>) -> Void
  ) throws
}

/// Memory for reading images, used again from image to image; one for each thread.
final class ImageWorkspace {
  var picture = clat_image()
  var file: [UInt8] = []
  private var scaled: [UInt8] = []

  deinit { clat_image_free(&picture) }

  /// Resamples a part of `picture` and calls `body` with the result.
  func withResampled(
    _ picture: clat_image, _ box: clat_resample_box, _ body: (UnsafePointer<UInt8>) -> Void
  ) throws {
    var picture = picture
    var box = box
    let bytes = Int(box.window_width) * Int(box.window_height) * Int(picture.channels)
    if scaled.count < bytes { scaled = [UInt8](repeating: 0, count: bytes) }
    let failed = scaled.withUnsafeMutableBufferPointer { target in
      clat_resample(&picture, &box, target.baseAddress)
    }
    guard failed == 0 else { throw DatasetError.invalid("no memory to resample an image") }
    scaled.withUnsafeBufferPointer { body($0.baseAddress.unsafelyUnwrapped) }
  }
}

/// Images of one shape as bytes, in memory or in a mapped file.
struct ByteImages: ImageSource {
  enum Storage: Sendable {
    case bytes([UInt8])
    /// `isMapped` where the pages belong to a file.
    case data(Data, isMapped: Bool)
  }

  let shape: ImageShape
  let storage: Storage

  var byteCount: Int {
    switch storage {
    case .bytes(let bytes): bytes.count
    case .data(let data, _): data.count
    }
  }

  var count: Int { byteCount / shape.count }

  var residentBytes: Int {
    if case .data(_, isMapped: true) = storage { 0 } else { byteCount }
  }

  var decodes: Bool { false }

  private func withBytes<R>(_ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R {
    switch storage {
    case .bytes(let bytes): try bytes.withUnsafeBytes(body)
    case .data(let data, _): try data.withUnsafeBytes(body)
    }
  }

  func withImage(
    _ row: Int, _ region: RegionDraw?, _ workspace: ImageWorkspace,
    _ body: (UnsafePointer<UInt8>) -> Void
  ) throws {
    try withBytes { bytes in
      let image = UnsafeRawBufferPointer(
        rebasing: bytes[(row * shape.count)...].prefix(shape.count))
      let pixels = image.assumingMemoryBound(to: UInt8.self).baseAddress.unsafelyUnwrapped
      guard let region else { return body(pixels) }
      let picture = clat_image(
        width: Int32(shape.width), height: Int32(shape.height), channels: Int32(shape.channels),
        pixels: UnsafeMutablePointer(mutating: pixels), capacity: 0)
      let box = region.box(in: (shape.width, shape.height)).scaled(to: shape)
      try workspace.withResampled(picture, box, body)
    }
  }
}

/// One source after the other.
struct JoinedImages: ImageSource {
  let first: any ImageSource
  let second: any ImageSource

  var count: Int { first.count + second.count }
  var residentBytes: Int { first.residentBytes + second.residentBytes }
  var decodes: Bool { first.decodes || second.decodes }

  func withImage(
    _ row: Int, _ region: RegionDraw?, _ workspace: ImageWorkspace,
    _ body: (UnsafePointer<UInt8>) -> Void
  ) throws {
    if row < first.count { return try first.withImage(row, region, workspace, body) }
    try second.withImage(row - first.count, region, workspace, body)
  }
}
