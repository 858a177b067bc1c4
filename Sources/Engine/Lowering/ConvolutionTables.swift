import Foundation
import IR
import Kernels

/// The offset tables of one use of a convolution, computed when the program is compiled.
///
/// A gather visits, for every output pixel and tap, one input pixel or padding. The forward pass is
/// one phase; the input gradient of a strided convolution has one phase for each residue of the
/// input pixel, because each sees other taps.
final class ConvolutionTables: @unchecked Sendable {
  /// Bytes of the packed filters.
  let packedBytes: Int
  /// Units of the packing kernel: panels of all phases.
  let packUnits: Int
  let phaseCount: Int
  let phases: UnsafeMutablePointer<clat_conv_phase>
  private var storage: [UnsafeMutablePointer<Int32>] = []

  /// One phase of a gather: output pixels, taps, and for every pair the input pixel or -1.
  struct Phase: Equatable {
    var out: [Int32]
    var taps: [Int32]
    var input: [Int32]
  }

  /// Tables over phases of a gather of `inChannels` to `outChannels`.
  init(_ source: [Phase], inChannels: Int, outChannels: Int) {
    let panel = Int(CLAT_PANEL)
    let panels = (outChannels + panel - 1) / panel
    phases = .allocate(capacity: max(source.count, 1))
    phaseCount = source.count
    packUnits = source.count * panels
    var floats = 0
    for (index, phase) in source.enumerated() {
      let out = ConvolutionTables.copy(phase.out, &storage)
      let input = ConvolutionTables.copy(phase.input, &storage)
      let taps = ConvolutionTables.copy(phase.taps, &storage)
      (phases + index).initialize(
        to: clat_conv_phase(
          pixels: Int32(phase.out.count), taps: Int32(phase.taps.count), out: out, in: input,
          tap: taps, packed_offset: Int64(floats)))
      floats += panels * phase.taps.count * inChannels * panel
    }
    packedBytes = max(floats, 1) * 4
  }

  deinit {
    storage.forEach { $0.deallocate() }
    phases.deallocate()
  }

  private static func copy(
    _ values: [Int32], _ storage: inout [UnsafeMutablePointer<Int32>]
  ) -> UnsafePointer<Int32> {
    let pointer = UnsafeMutablePointer<Int32>.allocate(capacity: max(values.count, 1))
    for (index, value) in values.enumerated() { pointer[index] = value }
    storage.append(pointer)
    return UnsafePointer(pointer)
  }

  /// The forward pass: x to y.
  static func forward(_ shape: ConvolutionShape) -> ConvolutionTables {
    cache.tables(shape, .forward) {
      ConvolutionTables(
        [forwardPhase(shape)], inChannels: shape.gathered.in, outChannels: shape.gathered.out)
    }
  }

  /// The input gradient: dy to dx.
  static func inputGradient(_ shape: ConvolutionShape) -> ConvolutionTables {
    cache.tables(shape, .inputGradient) {
      ConvolutionTables(
        inputGradientPhases(shape), inChannels: shape.gathered.transposed.in,
        outChannels: shape.gathered.transposed.out)
    }
  }

  /// A fully connected layer: one pixel, one tap.
  static func linear(inFeatures: Int, outFeatures: Int) -> ConvolutionTables {
    ConvolutionTables(
      [Phase(out: [0], taps: [0], input: [0])], inChannels: inFeatures, outChannels: outFeatures)
  }

  static func forwardPhase(_ shape: ConvolutionShape) -> Phase {
    var phase = Phase(out: [], taps: Array(0..<Int32(shape.kernelTaps)), input: [])
    for oh in 0..<shape.outHeight {
      for ow in 0..<shape.outWidth {
        phase.out.append(Int32(oh * shape.outWidth + ow))
        for kh in 0..<shape.kernelHeight {
          for kw in 0..<shape.kernelWidth {
            let ih = oh * shape.strideHeight - shape.padHeight + kh
            let iw = ow * shape.strideWidth - shape.padWidth + kw
            let inside = (0..<shape.inHeight).contains(ih) && (0..<shape.inWidth).contains(iw)
            phase.input.append(inside ? Int32(ih * shape.inWidth + iw) : -1)
          }
        }
      }
    }
    return phase
  }

  static func inputGradientPhases(_ shape: ConvolutionShape) -> [Phase] {
    var phases: [Phase] = []
    for rowPhase in 0..<min(shape.strideHeight, shape.inHeight) {
      for columnPhase in 0..<min(shape.strideWidth, shape.inWidth) {
        phases.append(inputGradientPhase(shape, rowPhase, columnPhase))
      }
    }
    return phases
  }

  private static func inputGradientPhase(
    _ shape: ConvolutionShape, _ rowPhase: Int, _ columnPhase: Int
  ) -> Phase {
    let rows = (0..<shape.kernelHeight).filter {
      (rowPhase + shape.padHeight - $0) % shape.strideHeight == 0
    }
    let columns = (0..<shape.kernelWidth).filter {
      (columnPhase + shape.padWidth - $0) % shape.strideWidth == 0
    }
    var phase = Phase(out: [], taps: [], input: [])
    for kh in rows { for kw in columns { phase.taps.append(Int32(kh * shape.kernelWidth + kw)) } }
    for ih in stride(from: rowPhase, to: shape.inHeight, by: shape.strideHeight) {
      for iw in stride(from: columnPhase, to: shape.inWidth, by: shape.strideWidth) {
        phase.out.append(Int32(ih * shape.inWidth + iw))
        for kh in rows {
          for kw in columns {
            let (top, left) = (ih + shape.padHeight - kh, iw + shape.padWidth - kw)
            let (oh, ow) = (top / shape.strideHeight, left / shape.strideWidth)
            let inside = top >= 0 && left >= 0 && oh < shape.outHeight && ow < shape.outWidth
            phase.input.append(inside ? Int32(oh * shape.outWidth + ow) : -1)
          }
        }
      }
    }
    return phase
  }
}

extension ConvolutionTables {
  private static let cache = ConvolutionTableCache()
}

/// Tables by geometry, so that layers of one shape share them and define-by-run execution does not
/// compute them on every call.
private final class ConvolutionTableCache: @unchecked Sendable {
  enum Use { case forward, inputGradient }

  private struct Key: Hashable {
    var shape: ConvolutionShape
    var use: Use
  }

  /// Networks have few geometries; a program that meets more of them starts again.
  private let limit = 256
  private let lock = NSLock()
  private var known: [Key: ConvolutionTables] = [:]

  func tables(
    _ shape: ConvolutionShape, _ use: Use, _ make: () -> ConvolutionTables
  ) -> ConvolutionTables {
    lock.withLock {
      let key = Key(shape: shape, use: use)
      if let tables = known[key] { return tables }
      if known.count >= limit { known = [:] }
      let tables = make()
      known[key] = tables
      return tables
    }
  }
}

/// How a weight gradient is divided, by its shape alone, so that results do not depend on the
/// number of threads.
struct WeightGradientJobs {
  /// Ranges of images with partial sums of their own.
  var chunks: Int
  /// Ranges of the gradient's rows.
  var blocks: Int

  /// - Parameters:
  ///   - rows: taps times input channels.
  ///   - outChannels: columns.
  init(images: Int, rows: Int, outChannels: Int) {
    // Every block packs the gradient of the output again, so few of them; chunks cost memory.
    let bytes = max(rows * outChannels * 4, 1)
    chunks = max(1, min(images, 16, (4 << 20) / bytes))
    blocks = max(1, min(rows, 4 / chunks))
  }
}
