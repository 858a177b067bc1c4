import Foundation
import IR
import Models
import ONNX
import Storage

/// Networks and graphs in files.
enum NetworkFile {
  /// The network of a file that `ImportedNetwork.isFile` recognises.
  ///
  /// - Throws: Failure: 66 where there is no file, 65 with its name where that holds no network.
  static func read(_ path: String) throws -> ImportedNetwork {
    if path.hasSuffix(".onnx") { return try onnx(path) }
    let graph = try graph(path)
    return try Failure.blaming(.badData, path) { ImportedNetwork(try NetworkGraph(graph)) }
  }

  private static func onnx(_ path: String) throws -> ImportedNetwork {
    guard let bytes = FileManager.default.contents(atPath: path) else {
      throw Failure(.missingInput, "\(path): not found, expected an ONNX model")
    }
    let file = try Failure.blaming(.badData, path) {
      try ONNXFile.read(bytes, folder: path.parentFolder)
    }
    for note in file.notes { Output.note("clat: \(path): \(note)") }
    return file.network
  }

  /// The verified graph of a file in IR text, network or not.
  ///
  /// - Throws: Failure: 66 where there is no file, 65 with its name, line and column where that
  ///   is no graph.
  static func graph(_ path: String) throws -> Graph {
    guard let data = FileManager.default.contents(atPath: path) else {
      throw Failure(.missingInput, "\(path): not found, expected a graph in IR text")
    }
    guard let text = String(data: data, encoding: .utf8) else {
      throw Failure.badData("\(path): not UTF-8 text, expected a graph")
    }
    return try Failure.blaming(.badData, path) {
      let graph = try Graph(parsing: text)
      try Verifier.verify(graph, level: .graph)
      return graph
    }
  }
}

/// The network of a run whose model is a file, kept in the run's folder: the file may change or go.
struct KeptNetwork {
  private let textPath, valuesPath: String

  init(folder: String) {
    textPath = folder + "/network.ir"
    valuesPath = folder + "/network.safetensors"
  }

  func write(_ imported: ImportedNetwork) throws {
    if let values = imported.values {
      let tensors = try imported.network.parameters.map {
        try StoredTensor(name: $0.name, shape: $0.shape, values: values[$0.name] ?? [])
      }
      try Safetensors(tensors: tensors).write(to: valuesPath)
    }
    try AtomicFile.write(Data(imported.network.graph.text.utf8), to: textPath)
  }

  /// nil where the run's model is none of a file.
  func read() throws -> ImportedNetwork? {
    guard FileManager.default.fileExists(atPath: textPath) else { return nil }
    var imported = try NetworkFile.read(textPath)
    if FileManager.default.fileExists(atPath: valuesPath) {
      imported.values = try Safetensors.read(valuesPath).tensors.reduce(into: [:]) {
        $0[$1.name] = try $1.floats()
      }
    }
    return imported
  }
}
