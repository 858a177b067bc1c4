import Datasets
import IR
import Storage

extension Trainer {
  /// What an epoch's end has to evaluate.
  enum DueEvaluation {
    case notDue
    case done(EvaluationRecord)
  }

  /// nil where the run was asked to stop.
  func evaluateIfDue(_ shouldStop: () -> Bool) throws -> DueEvaluation? {
    let options = recipe.evaluation
    let done = state.epoch + 1
    let isLast = done == recipe.totalEpochs
    guard isLast || (options.every > 0 && done % options.every == 0) else {
      return DueEvaluation.notDue
    }
    var images = options.split == .validation ? data.validation ?? data.test : data.test
    if let count = options.count { images = try images.subset(min(count, images.count)) }
    do {
      let result = try Evaluation.run(
        session, images,
        Evaluation.Options(
          attack: options.attack, restarts: options.restarts,
          batchSize: min(recipe.optimizer.batchSize, images.count), seed: recipe.seed),
        shouldStop: shouldStop)
      let record = EvaluationRecord(
        epoch: state.epoch, split: options.split, count: result.count,
        cleanCorrect: result.cleanCorrect.count { $0 },
        robustCorrect: result.robustCorrect.count { $0 })
      onEvent(.evaluated(record))
      return .done(record)
    } catch is CancellationError {
      return nil
    }
  }

  /// Writes the epoch's record and goes on to the next.
  func finishEpoch(_ report: EpochReport, _ evaluation: DueEvaluation) throws {
    try directory?.append(
      epoch: state.epoch, step: state.step, fields(report) + fields(evaluation))
    state.epoch += 1
    state.step = 0
    state.metrics = EpochMetrics()
    let every = recipe.checkpoint.everyEpochs
    let isLast = state.epoch == recipe.totalEpochs
    if isLast || (every > 0 && state.epoch % every == 0) { try saveCheckpoint() }
  }

  private func fields(_ report: EpochReport) -> [(String, MetricValue)] {
    let metrics = report.metrics
    var fields: [(String, MetricValue)] = [
      ("phase", .string(report.phase.rawValue)), ("lr", .double(report.learningRate)),
      ("loss", .double(metrics.meanLoss)), ("ce", .double(metrics.meanCrossEntropy)),
      ("train_accuracy", .double(metrics.accuracy)),
    ]
    if report.phase == .clat {
      fields += [
        ("feature", .double(metrics.meanFeature)), ("lambda", .double(metrics.lambda)),
        ("feature_ratio", .double(metrics.featureRatio)),
      ]
    }
    return fields + [
      ("images_per_second", .double(report.imagesPerSecond)), ("seconds", .double(report.seconds)),
      ("data_wait", .double(report.waitSeconds / max(report.seconds, 1e-9))),
    ]
  }

  private func fields(_ evaluation: DueEvaluation) -> [(String, MetricValue)] {
    guard case .done(let record) = evaluation else { return [] }
    let split = record.split.rawValue
    return [
      ("\(split)_images", .int(record.count)), ("\(split)_clean", .double(record.cleanAccuracy)),
      ("\(split)_robust", .double(record.robustAccuracy)),
    ]
  }
}
