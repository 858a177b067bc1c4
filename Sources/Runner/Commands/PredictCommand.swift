import Adversarial
import ArgumentParser
import Datasets
import Engine
import IR
import Models
import Storage

/// `clat predict`: logits and features, written to a file.
struct PredictCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "predict", abstract: "Write logits and features of images to a file.",
    discussion: """
      The file is safetensors: clean (f32 NCHW in [0, 1]), logits (f32), labels (i64) and, for \
      every tap, features.NAME (f32, NCHW), all in the data's order. A tap is a convolution of the \
      main path, by the name that `clat criticality` shows: its value after the batch norm, \
      residual sum and activation that follow.

      EXAMPLES
        clat predict --model resnet20 --weights resnet20.safetensors --data cifar-10-batches-bin \\
          --count 100 --taps all --out features.safetensors
      """)

  @OptionGroup var images: ImageOptions

  @Option(help: "train or test.")
  var split = Split.test

  @Option(help: "Images in a batch.")
  var batch = 128

  @Option(help: "Features to write: all, or layer names separated by commas.")
  var taps: String?

  @Option(help: "The file to write.")
  var out: String

  @Flag(help: "Print JSON: {model, count, correct, accuracy, out, tensors}.")
  var json = false

  func run() throws {
    try ImageOptions.check(batch: batch)
    let dataset = try images.load(split: split)
    let session = try images.session(for: dataset)
    let names = try tapNames(session.model)
    Interruption.listen()
    var predictor = Predictor(session: session, taps: names)
    let plan = try BatchPlan.sequential(
      count: dataset.count, batchSize: min(batch, dataset.count))
    let loader = try BatchLoader(dataset: dataset, plan: plan, seed: images.seed, epoch: 0)
    while let batch = try loader.next() {
      if Interruption.isRequested { throw Interruption.failure }
      try predictor.add(batch)
    }
    let tensors = try predictor.tensors(dataset)
    try Safetensors(tensors: tensors, metadata: ["model": session.model.name]).write(to: out)
    try report(session.model, dataset, predictor.correct, tensors)
  }

  private func tapNames(_ model: Model) throws -> [String] {
    guard let taps else { return [] }
    let known = model.layers.map(\.name)
    if taps == "all" { return known }
    let names = taps.split(separator: ",").map(String.init)
    if let wrong = names.first(where: { !known.contains($0) }) {
      throw Failure.usage(
        "--taps '\(wrong)': no layer of \(model.name); there are: \(known.joined(separator: ", "))")
    }
    return names
  }

  private func report(
    _ model: Model, _ dataset: Dataset, _ correct: Int, _ tensors: [StoredTensor]
  ) throws {
    let accuracy = Double(correct) / Double(dataset.count)
    guard json else {
      return try Output.line(
        "\(out): \(tensors.count) tensors of \(dataset.count) images; "
          + "\((100 * accuracy).fixed(2)) % right")
    }
    try Output.json([
      "model": .string(model.name), "count": .int(dataset.count), "correct": .int(correct),
      "accuracy": .double(accuracy), "out": .string(out),
      "tensors": .array(tensors.map { .string($0.name) }),
    ])
  }
}

/// Collects logits and features batch by batch.
struct Predictor {
  let session: ModelSession
  let taps: [String]
  private(set) var correct = 0
  private var logits: [Float] = []
  /// NCHW, by tap, with the shape of one image's feature in NHWC.
  private var features: [String: (shape: [Int], values: [Float])] = [:]
  private var programs: [Int: Executable] = [:]

  init(session: ModelSession, taps: [String]) {
    self.session = session
    self.taps = taps
  }

  mutating func add(_ batch: Batch) throws {
    try session.load(batch)
    let program = try program(batch.count)
    program.run()
    logits += try program.floats("logits")
    correct += try program.integers("correct").count { $0 != 0 }
    for name in taps {
      let shape = Array(try program.output("features.\(name)").type.shape.dropFirst())
      let values = try program.floats("features.\(name)")
      let planar =
        shape.count == 3
        ? ImageLayout.planar(values, height: shape[0], width: shape[1], channels: shape[2]) : values
      features[name, default: (shape, [])].values += planar
    }
  }

  /// The program for a batch size, on the session's tensors for that size.
  private mutating func program(_ batch: Int) throws -> Executable {
    if let known = programs[batch] { return known }
    var graph = try EvaluationGraph.build(session.model, batch: batch)
    for index in graph.inputs.indices where ["x", "labels"].contains(graph.inputs[index].name) {
      graph.inputs[index].name += ".\(batch)"
    }
    let compiled = try Compiler.compile(
      graph, CompileRequest(taps: taps, convolution: session.convolution),
      options: .init(threads: session.threads))
    let executable = try Executable(compiled.program, store: session.store)
    programs[batch] = executable
    return executable
  }

  func tensors(_ dataset: Dataset) throws -> [StoredTensor] {
    let clean = try dataset.pixels().map { Float($0) / 255 }
    let count = dataset.count
    var tensors = [
      try AdversarialFile.images("clean", clean, dataset),
      try StoredTensor(
        name: "logits", shape: [count, session.model.classes], values: logits),
      try AdversarialFile.labels(dataset),
    ]
    for name in taps {
      guard let (shape, values) = features[name] else { continue }
      let stored = shape.count == 3 ? [shape[2], shape[0], shape[1]] : shape
      tensors.append(
        try StoredTensor(name: "features.\(name)", shape: [count] + stored, values: values))
    }
    return tensors
  }
}
