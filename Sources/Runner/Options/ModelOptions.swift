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

/// What stands in front of a network.
struct NormalizationOptions: ParsableArguments {
  @Option(help: "Channel means that the network was trained with: .485,.456,.406.")
  var mean: NumberList?

  @Option(help: "Channel standard deviations, given together with --mean.")
  var std: NumberList?

  var isGiven: Bool { mean != nil || std != nil }
}

/// What a network tells apart.
struct ExtentOptions: ParsableArguments {
  @Option(help: "Images as HEIGHTxWIDTHxCHANNELS; the network's published ones unless given.")
  var image: ImageExtent?

  @Option(help: "Classes; the network's published number unless given.")
  var classes: Int?

  var isGiven: Bool { image != nil || classes != nil }
}

/// Which network, and what stands in front of it.
struct ModelOptions: ParsableArguments {
  @Option(help: ArgumentHelp(ModelOptions.help + " The checkpoint's unless given."))
  var model: String?

  @OptionGroup var normalization: NormalizationOptions

  static let help = """
    NAME[:parameter=value,...] (`clat models` lists the names), or a file: net.ir, net.onnx.
    """

  /// The network for the images of a data set, and its weights if its file brings them.
  ///
  /// - Parameter weights: a file or folder that names the network where `model` is not given.
  func load(for dataset: Dataset, weights: String?) throws -> (Model, [String: [Float]]?) {
    let shape = dataset.shape
    let (mean, std) = (normalization.mean?.values, normalization.std?.values)
    let image = (shape.height, shape.width, shape.channels)
    let classes = dataset.classes.count
    if let model, !ImportedNetwork.isFile(model) {
      let spec = try ModelSpec(model)
      return (try Model(spec, imageShape: image, classes: classes, mean: mean, std: std), nil)
    }
    let imported = try imported(weights)
    let network = try imported.model(
      named: model ?? imported.network.graph.name, image: image, classes: classes, mean: mean,
      std: std)
    return (network, imported.values)
  }

  /// A network, by name or from a file, for the images and classes that it is published for unless
  /// the options say otherwise.
  static func make(
    _ model: String, _ extent: ExtentOptions, _ normalization: NormalizationOptions
  ) throws -> Model {
    let image = extent.image.map { ($0.height, $0.width, $0.channels) }
    let (mean, std) = (normalization.mean?.values, normalization.std?.values)
    if ImportedNetwork.isFile(model) {
      return try NetworkFile.read(model).model(
        named: model, image: image, classes: extent.classes, mean: mean, std: std)
    }
    let spec = try ModelSpec(model)
    let published = spec.input
    return try Model(
      spec, imageShape: image ?? (published.height, published.width, published.channels),
      classes: extent.classes ?? published.classes, mean: mean, std: std)
  }

  private func imported(_ weights: String?) throws -> ImportedNetwork {
    if let model { return try NetworkFile.read(model) }
    guard let weights else { throw Failure.usage("expected --model, --weights, or both") }
    guard !normalization.isGiven else {
      throw Failure.usage("--mean and --std need --model; a checkpoint's network has its own")
    }
    return try Weights.network(weights)
  }
}

/// A network for commands that need no data: its images' shape is an option.
struct StandaloneModelOptions: ParsableArguments {
  @Option(help: ArgumentHelp(ModelOptions.help))
  var model = "resnet20"

  @OptionGroup var extent: ExtentOptions
  @OptionGroup var normalization: NormalizationOptions

  @Option(help: "Images in a batch.")
  var batch = 128

  @OptionGroup var layers: LayerOptions

  @OptionGroup var algorithm: ConvolutionOptions

  /// What these were parsed from, but for the layers that count.
  var arguments: [String] {
    func list(_ option: String, _ values: NumberList?) -> [String] {
      values.map { [option, $0.values.map { "\($0)" }.joined(separator: ",")] } ?? []
    }
    return [
      "--model", model, "--batch", "\(batch)", "--convolution", algorithm.convolution.rawValue,
    ] + (extent.image.map { ["--image", $0.defaultValueDescription] } ?? [])
      + (extent.classes.map { ["--classes", "\($0)"] } ?? [])
      + list("--mean", normalization.mean) + list("--std", normalization.std)
  }

  func make() throws -> Model {
    guard (1...BatchPlan.maximumBatchSize).contains(batch) else {
      throw Failure.usage("--batch \(batch): expected 1...\(BatchPlan.maximumBatchSize)")
    }
    return try layers.count(in: ModelOptions.make(model, extent, normalization))
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
