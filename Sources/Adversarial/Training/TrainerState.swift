import Foundation
import IR
import Storage

/// Where a run stands, apart from its tensors.
struct TrainerState: Sendable, Equatable, Codable {
  var epoch = 0
  /// Steps of the epoch that are done.
  var step = 0
  var metrics = EpochMetrics()
  /// Indices of the critical layers; empty before CLAT.
  var selected: [Int] = []
  var lambda = 0.0
  /// Hash of the frozen tensors at the start of the selection period.
  var frozenHash = ""
  var selections: [SelectionRecord] = []

  private static var encoder: JSONEncoder {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys]
    encoder.nonConformingFloatEncodingStrategy = .convertToString(
      positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
    return encoder
  }

  private static var decoder: JSONDecoder {
    let decoder = JSONDecoder()
    decoder.nonConformingFloatDecodingStrategy = .convertFromString(
      positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
    return decoder
  }

  func text() throws -> String { String(decoding: try Self.encoder.encode(self), as: UTF8.self) }

  init() {}

  /// - Parameter file: named in errors.
  init(text: String?, file: String) throws {
    guard let text, let state = try? Self.decoder.decode(TrainerState.self, from: Data(text.utf8))
    else { throw StorageError(.damaged, file: file, "no trainer's state in it") }
    self = state
  }

  /// The history of selections as JSON.
  func selectionsData() throws -> Data { try Self.encoder.encode(selections) }
}
