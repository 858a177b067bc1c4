import Foundation
import Models
import ONNX
import Storage

/// What `clat convert` has read.
struct Conversion {
  /// Under the network's names.
  var tensors: [StoredTensor]
  /// The network that they belong to, where --model names one.
  var model: Model?
}

/// A kind of file that `clat convert` writes. A new one is a value of this type in `all`.
struct ConversionTarget: Sendable {
  var name: String
  /// With which file names end, without the dot.
  var extensions: [String]
  var write: @Sendable (_ conversion: Conversion, _ path: String) throws -> Void

  static let all = weights + [onnx]

  private static let onnx = ConversionTarget(name: "ONNX", extensions: ["onnx"]) {
    conversion, path in
    guard let model = conversion.model else {
      throw Failure.usage("\(path): the weights do not say of what network they are: give --model")
    }
    let values = try conversion.tensors.map { ($0.name, try $0.floats()) }
    let bytes = try ONNXFile.write(
      model, values: Dictionary(values) { first, _ in first })
    try AtomicFile.write(bytes, to: path)
  }

  private static let weights: [ConversionTarget] = WeightFormat.all.compactMap { format in
    format.write.map { write in
      ConversionTarget(name: format.name, extensions: format.extensions) { conversion, path in
        try write(conversion.tensors, path)
      }
    }
  }

  /// The kind that a file's name tells.
  static func named(by path: String) throws -> ConversionTarget {
    let ending = (path as NSString).pathExtension.lowercased()
    if let target = all.first(where: { $0.extensions.contains(ending) }) { return target }
    let known = all.compactMap(\.extensions.first).map { "." + $0 }.joined(separator: ", ")
    throw Failure.usage("\(path): expected a name that ends in \(known)")
  }
}
