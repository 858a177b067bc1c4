import Adversarial
import ArgumentParser
import Models
import Storage

/// `clat convert`: weights from one file format into another.
struct ConvertCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "convert",
    abstract: "Convert weights between safetensors, PyTorch's files and ONNX.",
    discussion: """
      What IN is, its content tells: safetensors, a checkpoint of clat, a run's folder, or what \
      torch.save wrote (both formats); an ONNX model is one by its ending. OUT's ending says what is \
      written: .safetensors, .pth for torch.load(OUT, weights_only=True), or .onnx.

      An ONNX model holds the network too: that of --model, or of the run that wrote the weights. \
      With --mean and --std it begins with Sub and Div and takes pixels in [0, 1]; its inputs are \
      images [batch, C, H, W], its outputs logits [batch, classes], for any batch.

      Without --model, the tensors of the file's network keep their names and types, without what \
      stands before them (state_dict, module.) and without an optimizer's. With --model, the weights \
      must fit that network, and get its names.

      EXAMPLES
        clat convert resnet20.th resnet20.safetensors
        clat convert runs/mine mine.pth
        clat convert best.pth:ema best-ema.safetensors
        clat convert wrn.pt wrn.safetensors --model wrn-28-10
        clat convert runs/mine mine.onnx
        clat convert resnet20.th resnet20.onnx --model resnet20 --mean .485,.456,.406 \\
          --std .229,.224,.225
        clat convert net.onnx net.safetensors
      """)

  @Argument(help: "Weights to read, or a run's folder; FILE:PART for one of several in a file.")
  var input: String

  @Argument(help: "The file to write.")
  var output: String

  @Option(help: ArgumentHelp("The network that the weights must fit: \(ModelOptions.help)"))
  var model: String?

  @OptionGroup var extent: ExtentOptions
  @OptionGroup var normalization: NormalizationOptions

  @Flag(help: "Print JSON: {out, format, tensors, parameters, notes}.")
  var json = false

  func run() throws {
    let target = try ConversionTarget.named(by: output)
    let (conversion, notes) = try prepare()
    for note in notes { Output.note("clat: \(note)") }
    try target.write(conversion, output)
    let tensors = conversion.tensors
    let parameters = tensors.reduce(0) { $0 + $1.count }
    if json {
      return try Output.json([
        "out": .string(output), "format": .string(target.name), "tensors": .int(tensors.count),
        "parameters": .int(parameters), "notes": .array(notes.map(JSON.string)),
      ])
    }
    try Output.line("wrote \(output): \(tensors.count) tensors, \(parameters) numbers")
  }

  private func prepare() throws -> (Conversion, notes: [String]) {
    if model == nil, input.hasSuffix(".onnx") { return (try onnx(), []) }
    let source = WeightSource(input)
    let file = try source.read(warn: { Output.note("clat: \($0)") })
    guard let network = try network(file) else {
      let (tensors, leftOut) = try file.network(part: source.part)
      return (Conversion(tensors: tensors), leftOut.map { "\(file.file): left out: \($0)" })
    }
    let found = try ModelSession.find(file, part: source.part, network)
    return (Conversion(tensors: found.tensors, model: network), found.notes)
  }

  /// That of --model; where an ONNX model is written and there is none, that of the weights' run.
  private func network(_ file: WeightFile) throws -> Model? {
    if let model { return try ModelOptions.make(model, extent, normalization) }
    guard !extent.isGiven, !normalization.isGiven else {
      throw Failure.usage("--image, --classes, --mean and --std describe the network of --model")
    }
    guard output.hasSuffix(".onnx") else { return nil }
    return try Weights.network(file).map { try $0.model(named: $0.network.graph.name) }
  }

  private func onnx() throws -> Conversion {
    let imported = try NetworkFile.read(input)
    let network = try imported.model(
      named: input, mean: normalization.mean?.values, std: normalization.std?.values)
    let tensors = try network.parameters.map {
      try StoredTensor(name: $0.name, shape: $0.shape, values: imported.values?[$0.name] ?? [])
    }
    return Conversion(tensors: tensors, model: network)
  }
}
