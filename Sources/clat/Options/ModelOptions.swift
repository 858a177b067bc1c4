import Adversarial
import ArgumentParser
import Datasets
import Engine
import Foundation
import IR
import Models

/// Numbers separated by commas, as `--mean .485,.456,.406` gives them.
struct NumberList: ExpressibleByArgument {
  var values: [Double]

  init?(argument: String) {
    let parts = argument.split(separator: ",", omittingEmptySubsequences: false)
    values = parts.compactMap { Double($0.trimmingCharacters(in: .whitespaces)) }
    guard values.count == parts.count, values.allSatisfy(\.isFinite) else { return nil }
  }
}

/// The extent of an image, as `--image 32x32x3` gives it.
struct ImageExtent: ExpressibleByArgument {
  var height: Int
  var width: Int
  var channels: Int

  init?(argument: String) {
    let parts = argument.split(separator: "x", omittingEmptySubsequences: false).compactMap {
      Int($0)
    }
    guard parts.count == 3, parts.allSatisfy({ (1...65536).contains($0) }) else { return nil }
    (height, width, channels) = (parts[0], parts[1], parts[2])
  }

  var defaultValueDescription: String { "\(height)x\(width)x\(channels)" }
}

extension Epsilon: ExpressibleByArgument {
  public init?(argument: String) { self.init(text: argument) }
}

/// Which network, and what stands in front of it.
struct ModelOptions: ParsableArguments {
  @Option(help: "NAME[:parameter=value,...]; `clat models` lists the names.")
  var model: String

  @Option(help: "Channel means that the network was trained with: .485,.456,.406.")
  var mean: NumberList?

  @Option(help: "Channel standard deviations, given together with --mean.")
  var std: NumberList?

  /// The network for images of one shape.
  func make(image: (height: Int, width: Int, channels: Int), classes: Int) throws -> Model {
    try ModelOptions.make(model, image: image, classes: classes, mean: mean, std: std)
  }

  func make(for dataset: Dataset) throws -> Model {
    let shape = dataset.shape
    return try make(
      image: (shape.height, shape.width, shape.channels), classes: dataset.classes.count)
  }

  static func make(
    _ text: String, image: (height: Int, width: Int, channels: Int), classes: Int,
    mean: NumberList? = nil, std: NumberList? = nil
  ) throws -> Model {
    if text.hasSuffix(".ir") {
      throw Failure.usage("--model \(text): a graph's file serves `clat inspect` alone")
    }
    return try Model(
      ModelSpec(text), imageShape: image, classes: classes, mean: mean?.values, std: std?.values)
  }
}

/// A network for commands that need no data: its images' shape is an option.
struct StandaloneModelOptions: ParsableArguments {
  @Option(help: "NAME[:parameter=value,...]; `clat models` lists the names.")
  var model = "resnet20"

  @Option(help: "Images as HEIGHTxWIDTHxCHANNELS; the network's published ones unless given.")
  var image: ImageExtent?

  @Option(help: "Classes; the network's published number unless given.")
  var classes: Int?

  @Option(help: "Channel means in front of the network.")
  var mean: NumberList?

  @Option(help: "Channel standard deviations, given together with --mean.")
  var std: NumberList?

  @Option(help: "Images in a batch.")
  var batch = 128

  @OptionGroup var layers: LayerOptions

  @OptionGroup var algorithm: ConvolutionOptions

  func make() throws -> Model {
    guard (1...BatchPlan.maximumBatchSize).contains(batch) else {
      throw Failure.usage("--batch \(batch): expected 1...\(BatchPlan.maximumBatchSize)")
    }
    let published = (try? ModelSpec(model))?.input ?? .cifar10
    let shape = image.map { ($0.height, $0.width, $0.channels) }
    return try layers.count(
      in: ModelOptions.make(
        model, image: shape ?? (published.height, published.width, published.channels),
        classes: classes ?? published.classes, mean: mean, std: std))
  }
}

extension ConvolutionPolicy: ExpressibleByArgument {}

/// How convolutions are computed.
struct ConvolutionOptions: ParsableArguments {
  @Option(help: "The fastest algorithm for each layer, or one: auto, direct, winograd.")
  var convolution = ConvolutionPolicy.auto
}

/// How many threads compute.
struct ThreadOptions: ParsableArguments {
  @Option(help: "Threads; all CPUs that the process may use unless given.")
  var threads: Int?

  @Flag(inversion: .prefixedNo, help: "Keep every thread on a CPU of its own.")
  var pin = true

  /// The number of threads, each pinned to a CPU where the process has enough of them.
  func resolve() throws -> Int {
    let available = Team.availableThreads
    let count = threads ?? available
    guard (1...1024).contains(count) else {
      throw Failure.usage("--threads \(count): expected 1...1024")
    }
    if pin, count <= available, let problem = pinned(count) { Output.note("clat: \(problem)") }
    return count
  }

  private func pinned(_ count: Int) -> String? {
    do { try Team.pin(threads: count) } catch { return "\(error); going on without" }
    return nil
  }
}
