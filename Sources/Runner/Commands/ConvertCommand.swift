import Adversarial
import ArgumentParser
import Models
import Storage

/// `clat convert`: weights from one file format into another.
struct ConvertCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "convert", abstract: "Convert weights between safetensors and PyTorch's files.",
    discussion: """
      What IN is, its content tells: safetensors, a checkpoint of clat, a run's folder, or what \
      torch.save wrote (both formats). OUT's ending says what is written: .safetensors, or .pth for \
      torch.load(OUT, weights_only=True).

      Without --model, the tensors of the file's network keep their names and types, without what \
      stands before them (state_dict, module.) and without an optimizer's. With --model, the weights \
      must fit that network, and get its names.

      EXAMPLES
        clat convert resnet20.th resnet20.safetensors
        clat convert runs/mine mine.pth
        clat convert best.pth:ema best-ema.safetensors
        clat convert wrn.pt wrn.safetensors --model wrn-28-10
      """)

  @Argument(help: "Weights to read, or a run's folder; FILE:PART for one of several in a file.")
  var input: String

  @Argument(help: "The file to write.")
  var output: String

  @Option(help: "The network that the weights must fit, NAME[:parameter=value,...].")
  var model: String?

  @Option(help: "The network's images, HEIGHTxWIDTHxCHANNELS.")
  var image = ImageExtent(argument: "32x32x3")!

  @Option(help: "The network's classes.")
  var classes = 10

  @Flag(help: "Print JSON: {out, format, tensors, parameters, notes}.")
  var json = false

  func run() throws {
    let target = try ConversionTarget.named(by: output)
    let source = WeightSource(input)
    let file = try source.read(warn: { Output.note("clat: \($0)") })
    let (conversion, notes) = try prepare(file, part: source.part)
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

  private func prepare(
    _ file: WeightFile, part: String?
  ) throws -> (Conversion, notes: [String]) {
    guard let model else {
      let (tensors, leftOut) = try file.network(part: part)
      return (Conversion(tensors: tensors), leftOut.map { "\(file.file): left out: \($0)" })
    }
    let network = try ModelOptions.make(
      model, image: (image.height, image.width, image.channels), classes: classes)
    let found = try ModelSession.find(file, part: part, network)
    return (Conversion(tensors: found.tensors, model: network), found.notes)
  }
}
