import Foundation

/// What a file of weights says of itself, without a network to fit it to.
public struct WeightSummary {
  public let file: WeightFile
  /// The hash of names, types, shapes and bytes of all tensors, in the order of their names.
  public let hash: String
  /// Whether it is a checkpoint of clat, whose content has then been found to match its hash.
  public let isCheckpoint: Bool
  /// The folder of the run that the file belongs to.
  public let run: String?
  /// The run's last record up to the checkpoint: an object in the order of `metrics.jsonl`.
  public let metrics: JSON?

  /// - Throws: `StorageError` for what cannot be read, and for a checkpoint of clat that has changed.
  public init(_ path: String, formats: [WeightFormat] = WeightFormat.all) throws {
    file = try WeightFile.read(path, formats: formats)
    var hash = ContentHash()
    for tensor in file.tensors.sorted(by: { $0.name < $1.name }) { hash.add(tensor) }
    self.hash = hash.description
    isCheckpoint = file.fields.contains { $0.name == "content" } && file.format == "safetensors"
    let checkpoint = isCheckpoint ? try Checkpoint.read(path) : nil
    run = Self.run(of: path)
    let place = checkpoint.map { ($0.epoch, $0.step) } ?? (.max, .max)
    metrics = run.flatMap { MetricsLog.last(in: $0, upTo: place) }
  }

  /// The folder with a recipe that a file stands in, or in whose `checkpoints` it does.
  private static func run(of path: String) -> String? {
    let folder = (path as NSString).deletingLastPathComponent
    let above = (folder as NSString).deletingLastPathComponent
    return [folder, above].map { $0.isEmpty ? "." : $0 }.first {
      FileManager.default.fileExists(atPath: $0 + "/recipe.yaml")
    }
  }

  /// Everything as one object.
  public var json: JSON {
    [
      "file": .string(file.file), "format": .string(file.format), "hash": .string(hash),
      "checkpoint": .bool(isCheckpoint), "run": run.map(JSON.string) ?? .null,
      "metrics": metrics ?? .null, "fields": .object(file.fields.map { ($0.name, $0.value) }),
      "parts": .array(
        file.parts.map { part in
          [
            "name": .string(part.name), "tensors": .int(part.tensors.count),
            "parameters": .int(part.elements),
            "types": .array(part.types.map { .string($0.rawValue) }),
          ]
        }),
      "tensors": .array(
        file.tensors.map { tensor in
          [
            "name": .string(tensor.name), "type": .string(tensor.type.rawValue),
            "shape": .array(tensor.shape.map(JSON.int)),
          ]
        }),
    ]
  }
}

extension WeightFile.Part {
  /// Elements of all tensors.
  public var elements: Int { tensors.reduce(0) { $0 + $1.count } }

  /// The element types that occur, the widest first.
  public var types: [StoredType] {
    let found = Set(tensors.map(\.type))
    return StoredType.allCases.filter(found.contains)
  }
}
