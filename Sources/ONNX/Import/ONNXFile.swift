import Foundation
import IR
import Models
import SwiftProtobuf

/// Image classifiers in ONNX files.
public enum ONNXFile {
  /// What a file was read as.
  public struct Import: Sendable {
    public var network: ImportedNetwork
    /// What the network leaves out of the file, one line each.
    public var notes: [String]
  }

  /// The network of a file, with its weights under their PyTorch names where the file has them.
  ///
  /// - Parameters:
  ///   - bytes: the whole file.
  ///   - folder: where the file is, and files are that its weights may be in; nil where there are
  ///     none. Nothing outside is read.
  /// - Throws: ModelError in one line: no ONNX model, damaged, or with a node that no network of
  ///   ours has.
  public static func read(_ bytes: Data, folder: String? = nil) throws -> Import {
    let model: Onnx_ModelProto
    do {
      model = try Onnx_ModelProto(serializedBytes: bytes)
    } catch {
      throw ModelError("not an ONNX model, or damaged")
    }
    guard model.hasGraph, let version = version(model), version >= 7 else {
      throw ModelError("not an ONNX model: a graph and opset_import of ai.onnx >= 7 are expected")
    }
    do {
      let budget = 4 * bytes.count + (1 << 20)
      var importer = try Importer(
        model.graph, version: version, budget: budget, external: ExternalData(folder: folder))
      return try importer.run()
    } catch {
      throw ModelError(printable("\(error)", limit: 1000))
    }
  }

  private static func version(_ model: Onnx_ModelProto) -> Int? {
    model.opsetImport.first { ["", "ai.onnx"].contains($0.domain) }.map { Int($0.version) }
  }
}
