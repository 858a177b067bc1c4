import Adversarial
import Datasets
import Models
import Storage

/// What an evaluation found, with all that is needed to judge and repeat it.
struct EvaluationReport {
  var model: Model
  var weights: String
  var dataset: Dataset
  var result: Evaluation
  var recheck: Evaluation.Recheck?
  var seed: UInt64
  /// Its constants, and the same in words.
  var attack: (json: JSON, text: String)?

  private var cleanCorrect: Int { result.cleanCorrect.count { $0 } }
  private var robustCorrect: Int { result.robustCorrect.count { $0 } }

  var json: JSON {
    var members: [(String, JSON)] = [
      ("model", .string(model.name)), ("weights", .string(weights)),
      ("data", .string(dataset.name)), ("split", .string(dataset.split.rawValue)),
      ("count", .int(result.count)), ("clean_correct", .int(cleanCorrect)),
      ("clean_accuracy", .double(result.cleanAccuracy)), ("clean_loss", .double(result.cleanLoss)),
      ("clean_interval", .double(interval(result.cleanAccuracy))),
    ]
    if let attack, let robust = result.robustAccuracy {
      members += [
        ("robust_correct", .int(robustCorrect)), ("robust_accuracy", .double(robust)),
        ("robust_interval", .double(interval(robust))), ("attack", attack.json),
      ]
    }
    if let recheck {
      members.append(
        (
          "recheck",
          [
            "correct": .int(recheck.correct), "maximum_norm": .double(recheck.maximumNorm),
            "lowest": .double(recheck.lowest), "highest": .double(recheck.highest),
            "problems": .array(recheck.problems.map(JSON.string)),
          ]
        ))
    }
    return .object(
      members + [
        ("seed", .int(Int(truncatingIfNeeded: seed))), ("batch_norm", .string("eval")),
        ("seconds", .double(result.seconds)), ("engine", .string("clat \(Clat.version)")),
        ("notes", .array(dataset.notes.map(JSON.string))),
      ])
  }

  var text: String {
    var lines = [
      "\(model.name) on \(dataset.name) \(dataset.split.rawValue), \(result.count) images",
      "clean   \(share(result.cleanAccuracy, cleanCorrect))",
    ]
    if let attack, let robust = result.robustAccuracy {
      lines += ["robust  \(share(robust, robustCorrect))", "attack  \(attack.text)"]
    }
    lines += dataset.notes.map { "note    \($0)" }
    return lines.joined(separator: "\n") + "\n"
  }

  private func share(_ accuracy: Double, _ correct: Int) -> String {
    "\((100 * accuracy).fixed(2)) % (\(correct) of \(result.count), 95 % interval "
      + "+-\((100 * interval(accuracy)).fixed(2)))"
  }

  private func interval(_ accuracy: Double) -> Double {
    Evaluation.halfInterval(accuracy: accuracy, count: result.count)
  }
}

/// Clean and adversarial images with labels and logits, for evaluation elsewhere.
enum AdversarialFile {
  /// `clean` and `adversarial` (f32 NCHW in [0, 1]), `logits` of the adversarial images, `labels`
  /// (i64).
  static func write(
    to path: String, _ dataset: Dataset, _ result: Evaluation, model: Model
  ) throws {
    let clean = try dataset.pixels().map { Float($0) / 255 }
    let tensors = [
      try images("clean", clean, dataset), try images("adversarial", result.adversarial, dataset),
      try StoredTensor(
        name: "logits", shape: [dataset.count, model.classes], values: result.logits),
      try labels(dataset),
    ]
    try Safetensors(tensors: tensors, metadata: ["model": model.name, "data": dataset.name])
      .write(to: path)
  }

  static func images(_ name: String, _ values: [Float], _ dataset: Dataset) throws -> StoredTensor {
    let shape = dataset.shape
    return try StoredTensor(
      name: name, shape: [dataset.count, shape.channels, shape.height, shape.width],
      values: ImageLayout.planar(
        values, height: shape.height, width: shape.width, channels: shape.channels))
  }

  static func labels(_ dataset: Dataset) throws -> StoredTensor {
    try StoredTensor(name: "labels", shape: [dataset.count], values: dataset.labels.map(Int64.init))
  }
}
