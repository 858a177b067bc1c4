import Adversarial
import Storage

/// Turns a trainer's events into a progress line on a terminal and one lasting line per epoch.
final class TrainingLog {
  private let epochs: Int
  private let print: (String) -> Void
  private let progress = ProgressLine()
  private let start = ContinuousClock.now
  private var firstWork: Double?
  private var report: EpochReport?
  private(set) var lastCheckpoint: String?
  private(set) var evaluations: [EvaluationRecord] = []
  private(set) var reports: [EpochReport] = []

  /// - Parameter print: gets each lasting line.
  init(epochs: Int, print: @escaping (String) -> Void) {
    self.epochs = epochs
    self.print = print
  }

  func take(_ event: TrainerEvent) {
    switch event {
    case .epochStarted(let start):
      flush(nil)
      if firstWork == nil {
        firstWork = Double(start.epoch) + Double(start.firstStep) / Double(max(1, start.steps))
      }
    case .stepDone(let step): show(step)
    case .selected(let record): line(TrainingLog.describe(record))
    case .epochFinished(let report):
      reports.append(report)
      self.report = report
    case .evaluated(let record):
      evaluations.append(record)
      flush(record)
    case .checkpointWritten(let path):
      lastCheckpoint = path
      flush(nil)
    }
  }

  /// Of the time spent training (without evaluations), what went by waiting for images.
  var waitShare: Double {
    let seconds = reports.reduce(0) { $0 + $1.seconds }
    return reports.reduce(0) { $0 + $1.waitSeconds } / max(seconds, 1e-9)
  }

  /// Ends the progress line.
  func close() {
    flush(nil)
    progress.clear()
  }

  private func line(_ text: String) {
    progress.clear()
    print(text)
  }

  private func show(_ step: StepReport) {
    let work = Double(step.epoch) + Double(step.step) / Double(max(1, step.steps))
    let done = work - (firstWork ?? 0)
    let elapsed = (ContinuousClock.now - start) / .seconds(1)
    let left = done > 0 ? elapsed / done * (Double(epochs) - work) : .infinity
    progress.update(
      work / Double(epochs),
      "epoch \(step.epoch + 1)/\(epochs)  loss \(step.metrics.meanLoss.fixed(4))  train "
        + "\((100 * step.metrics.accuracy).fixed(1)) %  \(step.imagesPerSecond.fixed(0)) images/s  "
        + "\(ProgressLine.clock(left)) left")
  }

  /// Prints the finished epoch, with its evaluation if there was one.
  private func flush(_ evaluation: EvaluationRecord?) {
    guard let report else { return }
    self.report = nil
    var parts = [
      "epoch \(report.epoch + 1)/\(epochs)", report.phase.rawValue,
      "loss \(report.metrics.meanLoss.fixed(4))",
      "train \((100 * report.metrics.accuracy).fixed(2)) %",
    ]
    if report.phase == .clat {
      parts.append("lambda*L/CE \(report.metrics.featureRatio.fixed(3))")
    }
    if let evaluation {
      parts += [
        "\(evaluation.split.rawValue) clean \((100 * evaluation.cleanAccuracy).fixed(2)) %",
        "robust \((100 * evaluation.robustAccuracy).fixed(2)) %",
      ]
    }
    parts += ["lr \(report.learningRate.fixed(5))", "\(report.imagesPerSecond.fixed(0)) images/s"]
    line(parts.joined(separator: "  "))
  }

  /// `critical from epoch 11: 1 conv2 (C 1.93); lambda 0.41`.
  static func describe(_ record: SelectionRecord) -> String {
    let layers = zip(record.selected, record.names).map { index, name in
      let value = record.layers.first { $0.index == index }?.criticality
      return "\(index) \(name)" + (value.map { " (C \($0.fixed(3)))" } ?? "")
    }
    return "critical from epoch \(record.epoch + 1): \(layers.joined(separator: ", ")); lambda "
      + "\(record.lambda.fixed(4))"
  }
}
