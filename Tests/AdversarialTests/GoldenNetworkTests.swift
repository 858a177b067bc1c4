import Adversarial
import IR
import Models
import TestSupport
import Testing

/// The mean cross entropy, the logits, and the loss's gradient for images and parameters.
func gradientGraph(_ model: Model, batch: Int, _ mode: BatchNormMode) throws -> Graph {
  let builder = GraphBuilder(name: "gradients")
  let (height, width, channels) = model.imageShape
  let x = try builder.input("x", .f32(batch, height, width, channels), .data)
  let labels = try builder.input("labels", .i32(batch), .data)
  let emitter = ForwardEmitter(builder: builder, model: model, mode: mode)
  let logits = try emitter(x).logits
  let loss = try builder.emitOne("mean", [builder.emitOne("cross_entropy", [logits, labels])])
  let parameters = model.parameters.filter(\.isTrainable)
  let weights = try parameters.map { try builder.input($0.name, .init(.f32, $0.shape), .parameter) }
  let gradients = try builder.emit("gradient", [loss, x] + weights)
  for (name, gradient) in zip(["x"] + parameters.map(\.name), gradients) {
    builder.output("gradient.\(name)", gradient)
  }
  builder.output("logits", logits)
  builder.output("loss", loss)
  if mode == .train { emitter.outputBufferUpdates() }
  return builder.graph
}

/// One forward and backward pass of every network against PyTorch in double precision.
@Suite struct GoldenNetworkTests {
  @Test(arguments: Golden.networks, [BatchNormMode.eval, .train])
  func gradients(_ name: String, mode: BatchNormMode) throws {
    let golden = try Golden("network-\(name)")
    let graph = try gradientGraph(golden.model, batch: golden.batch, mode)
    let result = try TestEngine.compiled.run(graph, golden.inputs())
    func expect(_ output: String, _ expected: [Double]) {
      expectClose(result[output], expected, relative: 1e-5, output)
    }
    expect("logits", try golden.floats("\(mode).logits"))
    expect("loss", try golden.floats("\(mode).loss"))
    switch mode {
    case .eval: expect("gradient.x", try golden.images("eval.input_gradient"))
    case .train:
      for tensor in golden.file.names where tensor.contains("running") {
        expect(String(tensor.dropFirst("train.".count)), try golden.floats(tensor))
      }
    }
    try expectDigest(golden, "\(mode).gradient", result, images: "gradient.x") { "gradient.\($0)" }
  }
}
