import Adversarial
import Storage

/// The comparison that ends a quickstart.
struct QuickstartReport {
  var runs: [(method: Quickstart.Method, run: TrainingRun)]
  var folder: String
  var seconds: Double

  var text: String {
    var table = Table("", "clean", "PGD-10", "images/s")
    for (method, run) in runs {
      guard let last = run.log.evaluations.last else { continue }
      table.add(
        method.title, share(last.cleanAccuracy, last.count), share(last.robustAccuracy, last.count),
        (run.log.reports.last?.imagesPerSecond ?? 0).fixed(0))
    }
    let attack = runs.first.map { $0.run.trainer.recipe.evaluation.attack } ?? .paper
    let count = runs.first?.run.log.evaluations.last?.count ?? 0
    let epochs = runs.first?.run.trainer.recipe.totalEpochs ?? 0
    let caption =
      "\(Quickstart.model) on the embedded digits, \(epochs) epochs each, the last epoch's "
      + "weights, \(count) test images, 95 % intervals. PGD-10: linf eps \(attack.eps), step "
      + "\(attack.step), \(attack.steps) steps, random start, one restart."
    let chosen = runs.flatMap { $0.run.trainer.selections.map(TrainingLog.describe) }
    return [
      "", table.text + caption, "", "CLAT's layers:", chosen.joined(separator: "\n"), "",
      "\(seconds.fixed(1)) s; runs in \(folder), curves in \(folder)/curves.svg", "",
    ].joined(separator: "\n")
  }

  private func share(_ accuracy: Double, _ count: Int) -> String {
    let half = Evaluation.halfInterval(accuracy: accuracy, count: count)
    return "\((100 * accuracy).fixed(1)) +- \((100 * half).fixed(1)) %"
  }

  var json: JSON {
    [
      "runs": .array(
        runs.map { method, run in
          let last = run.log.evaluations.last
          return [
            "name": .string(method.rawValue), "count": .int(last?.count ?? 0),
            "clean_correct": .int(last?.cleanCorrect ?? 0),
            "clean_accuracy": .double(last?.cleanAccuracy ?? 0),
            "robust_correct": .int(last?.robustCorrect ?? 0),
            "robust_accuracy": .double(last?.robustAccuracy ?? 0), "report": run.report,
          ]
        }),
      "eps": .string(Quickstart.eps), "seconds": .double(seconds), "out": .string(folder),
    ]
  }

  /// Clean accuracy dashed, robust accuracy in full, by epoch.
  var plot: CurvePlot {
    CurvePlot(
      title: "Digits: test accuracy, clean (dashed) and under PGD-10",
      curves: runs.flatMap { method, run in
        [("clean", true), ("PGD-10", false)].map { kind, dashed in
          CurvePlot.Curve(
            name: "\(method.title), \(kind)", colour: method.colour, isDashed: dashed,
            points: run.log.evaluations.map { record in
              (
                Double(record.epoch + 1), dashed ? record.cleanAccuracy : record.robustAccuracy
              )
            })
        }
      })
  }
}
