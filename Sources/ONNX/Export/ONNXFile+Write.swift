import Foundation
import IR
import Models
import SwiftProtobuf

extension ONNXFile {
  /// The operator set that files are written for, and the format version that goes with it.
  static let (writtenVersion, formatVersion): (Int64, Int64) = (20, 9)

  /// A network and its weights as an ONNX file, for images `images` [batch, C, H, W] and logits
  /// `logits` [batch, classes] of any batch.
  ///
  /// Batch norms stay what they are, weights are initializers under their PyTorch names, and the
  /// model's normalisation, if it has one, comes first as Sub and Div.
  ///
  /// - Parameter values: every parameter and statistic by name, in PyTorch's layouts.
  /// - Throws: ModelError for a weight without values, and for an operation that ONNX lacks.
  public static func write(_ model: Model, values: [String: [Float]]) throws -> Data {
    var exporter = try Exporter(model.graph().graph, values: values)
    var file = Onnx_ModelProto()
    file.irVersion = formatVersion
    file.producerName = "clat"
    var opset = Onnx_OperatorSetIdProto()
    opset.version = writtenVersion
    file.opsetImport = [opset]
    file.graph = try exporter.run()
    return try file.serializedBytes()
  }
}
