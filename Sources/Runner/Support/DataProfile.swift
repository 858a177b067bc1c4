import Adversarial
import Datasets
import Storage

/// How long the first steps of a recipe wait for their images.
struct DataProfile {
  let model: String
  let steps: Int
  let images: Int
  let seconds: Double
  let waitSeconds: Double

  private var share: Double { waitSeconds / max(seconds, 1e-9) }

  /// Runs a step that compiles and is not counted, then `steps` more, of the recipe's first epoch.
  ///
  /// - Throws: Failure where the epoch has fewer steps; what the trainer throws.
  init(_ recipe: Recipe, steps: Int) throws {
    let trainer = try Trainer(recipe, data: TrainingData.load(recipe.data))
    var reports: [StepReport] = []
    trainer.onEvent = { if case .stepDone(let report) = $0 { reports.append(report) } }
    _ = try trainer.run { reports.count > steps || Interruption.isRequested }
    if Interruption.isRequested { throw Interruption.failure }
    guard reports.count > steps, let first = reports.first, let last = reports.last,
      first.epoch == last.epoch
    else {
      throw Failure.usage(
        "--steps \(steps): the recipe's epoch has \(reports.first?.steps ?? 0) steps, of which the "
          + "first is not counted")
    }
    model = trainer.model.name
    self.steps = steps
    images = last.metrics.images - first.metrics.images
    seconds = last.seconds - first.seconds
    waitSeconds = last.waitSeconds - first.waitSeconds
  }

  var text: String {
    "\(model): \(steps) steps on \(images) images in \(seconds.duration), "
      + "\((Double(images) / max(seconds, 1e-9)).fixed(0)) images/s\n"
      + "waiting for data: \(waitSeconds.duration), \((100 * share).fixed(2)) %\n"
  }

  var json: JSON {
    [
      "model": .string(model), "steps": .int(steps), "images": .int(images),
      "seconds": .double(seconds), "wait_seconds": .double(waitSeconds),
      "data_wait": .double(share),
    ]
  }
}

/// How fast images are read when nothing else runs.
struct ReadingProfile {
  let dataset: Dataset
  let images: Int
  /// By number of threads.
  let seconds: [(threads: Int, seconds: Double)]

  /// More images than this are not read.
  private static let mostImages = 5_000

  /// Reads and augments the first images as an epoch of training would.
  ///
  /// - Throws: DatasetError for an image that cannot be read.
  init(_ dataset: Dataset, batch: Int, threads: [Int]) throws {
    self.dataset = dataset
    images = min(dataset.count, Self.mostImages)
    let plan = try BatchPlan.sequential(count: images, batchSize: min(batch, images))
    seconds = try threads.map { count in
      let loader = try BatchLoader(
        dataset: dataset, plan: plan, augmentation: dataset.augmentation, seed: 0, epoch: 0,
        threads: count)
      let start = ContinuousClock.now
      while try loader.next() != nil {}
      return (count, (ContinuousClock.now - start) / .seconds(1))
    }
  }

  var text: String {
    "\(dataset.name): \(images) images to \(dataset.shape)\n"
      + seconds.map { threads, seconds in
        "\(threads) thread\(threads == 1 ? "" : "s"): "
          + "\((Double(images) / max(seconds, 1e-9)).fixed(0)) images/s\n"
      }.joined()
  }

  var json: JSON {
    .array(
      seconds.map { threads, seconds in
        [
          "data": .string(dataset.name), "images": .int(images), "threads": .int(threads),
          "seconds": .double(seconds),
          "images_per_second": .double(Double(images) / max(seconds, 1e-9)),
        ]
      })
  }
}
