import Adversarial
import IR
import Models
import Testing

/// The gradient of the mean cross entropy with respect to the images, in evaluation mode.
func inputGradientGraph(_ model: Model, batch: Int) throws -> Graph {
  let builder = GraphBuilder(name: "input-gradient")
  let (height, width, channels) = model.imageShape
  let x = try builder.input("x", .f32(batch, height, width, channels), .data)
  let labels = try builder.input("labels", .i32(batch), .data)
  let logits = try ForwardEmitter(builder: builder, model: model, mode: .eval)(x).logits
  let loss = try builder.emitOne("mean", [builder.emitOne("cross_entropy", [logits, labels])])
  builder.output("gradient", try builder.emitOne("gradient", [loss, x]))
  return builder.graph
}

/// One forward and backward pass of every family against PyTorch in double precision.
@Suite struct GoldenNetworkTests {
  static let names = [
    "small-cnn", "resnet18-8", "resnet20-A", "resnet20-B", "resnet32-A", "resnet44-A",
    "resnet56-A", "vgg16-8", "vgg19-8", "wrn-10-2", "wrn-16-1", "resnet50-4", "densenet121-4",
  ]

  @Test(arguments: names) func evaluation(_ name: String) throws {
    let golden = try Golden("network-\(name)")
    let graph = try EvaluationGraph.build(golden.model, batch: golden.batch)
    let result = try TestEngine.compiled.run(graph, golden.inputs())
    expectClose(result["logits"], try golden.floats("eval.logits"), relative: 1e-5, "logits")
    expectClose(result["loss"], try golden.floats("eval.loss"), relative: 1e-5, "loss")
  }

  @Test(arguments: names) func inputGradient(_ name: String) throws {
    let golden = try Golden("network-\(name)")
    let graph = try inputGradientGraph(golden.model, batch: golden.batch)
    let result = try TestEngine.compiled.run(graph, golden.inputs())
    expectClose(
      result["gradient"], try golden.images("eval.input_gradient"), relative: 1e-5, "gradient")
  }

  @Test(arguments: names) func training(_ name: String) throws {
    let golden = try Golden("network-\(name)")
    var inputs = try golden.inputs()
    inputs["lr"] = [0]
    let graph = try TrainingGraph.build(
      golden.model, batch: golden.batch, SGDOptions(momentum: 0, weightDecay: 0))
    let result = try TestEngine.compiled.run(graph, inputs)
    expectClose(result["loss"], try golden.floats("train.loss"), relative: 1e-5, "loss")
    try expectSummaries(golden, "train.gradient", result, SGDOptions.stateName)
    for tensor in golden.file.tensors.map(\.name) where tensor.hasPrefix("train.") {
      let parameter = String(tensor.dropFirst("train.".count))
      if parameter.contains("running") {
        expectClose(result[parameter], try golden.floats(tensor), relative: 1e-5, parameter)
      } else if parameter.hasSuffix("weight") || parameter.hasSuffix("bias") {
        let name = SGDOptions.stateName(String(parameter.dropFirst("gradient.".count)))
        expectClose(result[name], try golden.floats(tensor), relative: 1e-4, name)
      }
    }
  }
}
