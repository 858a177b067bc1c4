import CZlib
import Foundation

/// A deflate stream (RFC 1951) on its way through zlib.
final class InflateStream {
  /// What stands around the deflate data: nothing, as in ZIP, or gzip's header and checksum.
  enum Wrapping: Int32 { case none = -15, gzip = 31 }

  /// The most that deflate expands one byte to.
  static let maximumRatio = 1032

  /// Why zlib does not go on.
  struct Failure: Error { var problem: String }

  private let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
  private(set) var ended = false

  init(_ wrapping: Wrapping) throws {
    stream.initialize(to: z_stream())
    let size = Int32(MemoryLayout<z_stream>.size)
    guard inflateInit2_(stream, wrapping.rawValue, ZLIB_VERSION, size) == Z_OK else {
      throw Failure(problem: "zlib cannot start")
    }
  }

  deinit {
    inflateEnd(stream)
    stream.deallocate()
  }

  /// Decompresses until the input or the room in `output` is used up or the stream ends.
  ///
  /// - Returns: bytes taken and bytes written.
  func run(
    _ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer
  ) throws -> (read: Int, written: Int) {
    var (read, written) = (0, 0)
    while !ended {
      let (room, left) = (output.count - written, input.count - read)
      stream.pointee.avail_in = uInt(clamping: left)
      stream.pointee.next_in = UnsafeMutablePointer(
        mutating: input.baseAddress?.assumingMemoryBound(to: UInt8.self).advanced(by: read))
      stream.pointee.avail_out = uInt(clamping: room)
      stream.pointee.next_out = output.baseAddress?.assumingMemoryBound(to: UInt8.self)
        .advanced(by: written)
      let (given, space) = (stream.pointee.avail_in, stream.pointee.avail_out)
      let status = inflate(stream, Z_NO_FLUSH)
      let (taken, made) = (given - stream.pointee.avail_in, space - stream.pointee.avail_out)
      (read, written) = (read + Int(taken), written + Int(made))
      if status == Z_STREAM_END { ended = true }
      guard [Z_OK, Z_STREAM_END, Z_BUF_ERROR].contains(status) else {
        throw Failure(problem: stream.pointee.msg.map { String(cString: $0) } ?? "zlib \(status)")
      }
      if taken == 0, made == 0 { break }
    }
    return (read, written)
  }
}
