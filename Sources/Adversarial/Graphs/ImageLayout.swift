/// Between the engine's NHWC and the NCHW of files and other frameworks.
public enum ImageLayout {
  /// NHWC to NCHW.
  ///
  /// - Parameters:
  ///   - height, width, channels: of one image; their product divides `values.count`.
  public static func planar<T>(_ values: [T], height: Int, width: Int, channels: Int) -> [T] {
    transposed(values, outer: height * width, inner: channels)
  }

  /// NCHW to NHWC.
  public static func interleaved<T>(_ values: [T], height: Int, width: Int, channels: Int) -> [T] {
    transposed(values, outer: channels, inner: height * width)
  }

  private static func transposed<T>(_ values: [T], outer: Int, inner: Int) -> [T] {
    guard outer > 0, inner > 0 else { return values }
    var result = [T]()
    result.reserveCapacity(values.count)
    for image in stride(from: 0, to: values.count, by: outer * inner) {
      for j in 0..<inner {
        for i in 0..<outer { result.append(values[image + i * inner + j]) }
      }
    }
    return result
  }
}
