import Adversarial
import ArgumentParser
import Datasets
import Models
import Storage

extension Split: ExpressibleByArgument {}

extension LoadOptions.Damaged: ExpressibleByArgument {}

/// A data set and how it is read.
struct DataOptions: ParsableArguments {
  @Option(help: ArgumentHelp("\(Dataset.expected)."))
  var data: String

  @OptionGroup var reading: ReadingOptions

  func load(_ split: Split) throws -> Dataset {
    try Dataset.load(data, split: split, options: reading.options)
  }
}

/// How image files are read, and what is tested on where there is no test split.
struct ReadingOptions: ParsableArguments {
  @Option(
    help: "Side of the images that image files become; their own if square and equal, or 224.")
  var imageSize: Int?

  @Option(help: "Shorter side that image files are scaled to before their middle is cut out.")
  var resize: Int?

  @Option(help: "What to do with damaged image files: error, or skip (all are decoded at first).")
  var damaged = LoadOptions.Damaged.error

  @Option(help: "Where there is no test split, test on the last so many images.")
  var testImages: Int?

  var options: LoadOptions {
    LoadOptions(
      imageSize: imageSize, resize: resize, damaged: damaged, testImages: testImages)
  }
}

/// A trained network and images to show it.
struct ImageOptions: ParsableArguments {
  @OptionGroup var network: ModelOptions

  @Option(
    help: """
      Weights: safetensors, a checkpoint of clat or PyTorch (.pth), a run's folder; FILE:PART for one \
      of several in a file. An ONNX model brings its own.
      """)
  var weights: String?

  @OptionGroup var source: DataOptions

  @Option(help: "Use only the first images.")
  var count: Int?

  @Option(help: "Seed of all random draws.")
  var seed: UInt64 = 0

  @OptionGroup var threading: ThreadOptions

  @OptionGroup var algorithm: ConvolutionOptions

  func load(split: Split) throws -> Dataset {
    let dataset = try source.load(split)
    guard let count else { return dataset }
    guard (1...dataset.count).contains(count) else {
      throw Failure.usage(
        "--count \(count): expected 1...\(dataset.count) (\(source.data) \(split.rawValue))")
    }
    return try dataset.subset(count)
  }

  /// The network with its weights, ready for images like those of `dataset`.
  func session(for dataset: Dataset, layers: LayerOptions? = nil) throws -> ModelSession {
    let (network, own) = try network.load(for: dataset, weights: weights)
    let model = try layers?.count(in: network) ?? network
    guard let values = try weights.map({ try Weights.read($0, model) }) ?? own else {
      throw Failure.usage("--model \(network.name) brings no weights: give --weights")
    }
    return try ModelSession(
      model, values: values, threads: try threading.resolve(),
      convolution: algorithm.convolution)
  }

  /// Where the weights come from, for reports.
  var weightsName: String { weights ?? network.model ?? "" }

  static func check(batch: Int) throws {
    guard (1...BatchPlan.maximumBatchSize).contains(batch) else {
      throw Failure.usage("--batch \(batch): expected 1...\(BatchPlan.maximumBatchSize)")
    }
  }
}
