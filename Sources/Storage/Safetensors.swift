import Foundation

/// The tensors and the metadata of a safetensors file (Hugging Face, format 0.4): 8 bytes of header
/// length, a JSON header, then the tensors' bytes without gaps.
public struct Safetensors: Sendable, Equatable {
  /// The longest header that is accepted, in bytes: the limit of the reference implementation.
  public static let maximumHeaderBytes = 100_000_000

  /// The header's `__metadata__`.
  public var metadata: [String: String]
  /// In the order in which they stand in the file.
  public var tensors: [StoredTensor]

  public init(tensors: [StoredTensor], metadata: [String: String] = [:]) {
    self.tensors = tensors
    self.metadata = metadata
  }

  /// The tensor named `name`, or nil.
  public subscript(name: String) -> StoredTensor? { tensors.first { $0.name == name } }

  /// The tensors by name.
  public var byName: [String: StoredTensor] {
    Dictionary(tensors.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
  }
}
