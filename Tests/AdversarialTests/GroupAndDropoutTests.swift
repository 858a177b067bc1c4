import IR
import Models
import Testing

@testable import Adversarial

/// A network with dropouts and convolutions in groups, on every engine.
@Suite struct GroupAndDropoutTests {
  private static let batch = 5

  private static func model() throws -> Model {
    try Model(named: "dropping", imageShape: (6, 6, 3), classes: 4) {
      Conv2d("conv1", channels: 8, kernel: 3, padding: 1)
      BatchNorm2d("bn1")
      ReLU()
      Dropout(0.3)
      Conv2d("conv2", channels: 8, kernel: 3, stride: 2, padding: 1, groups: 8)
      BatchNorm2d("bn2")
      HardSwish()
      SqueezeExcite("se", channels: 2)
      Conv2d("conv3", channels: 12, kernel: 3, padding: 1, groups: 4)
      ReLU()
      Flatten()
      Dropout()
      Linear("linear", features: 4)
    }
  }

  private static func inputs(_ model: Model, epoch: Int) -> [String: [Double]] {
    var values = model.initialValues(seed: 3).mapValues { $0.map(Double.init) }
    for parameter in model.parameters where parameter.isTrainable {
      values[SGDOptions.stateName(parameter.name)] = Array(repeating: 0, count: parameter.count)
    }
    values["x"] = (0..<batch * 108).map { Double($0 * 37 % 101) / 101 }
    values["labels"] = (0..<batch).map { Double($0 % 4) }
    values["ids"] = (0..<batch).map { Double(10 + 7 * $0) }
    values["lr"] = [0.1]
    values["stream"] = RandomStream(seed: 9, epoch: epoch, purpose: .attackStart).operand
      .map(Double.init)
    return values
  }

  @Test func enginesAgreeAndThreadsChangeNoBit() throws {
    let model = try Self.model()
    let graph = try TrainingGraph.build(model, batch: Self.batch)
    let inputs = Self.inputs(model, epoch: 2)
    let expected = try TestEngine.interpreter.run(graph, inputs)
    let eager = try TestEngine.eager.run(graph, inputs)
    let runs = try [1, 2, 3].map { try TestEngine.compiled.run(graph, inputs, threads: $0) }
    #expect(runs[0] == runs[1] && runs[0] == runs[2])
    for (name, values) in expected {
      expectClose(runs[0][name], values, relative: 1e-4, absolute: 1e-6, "compiled \(name)")
      expectClose(eager[name], values, relative: 1e-4, absolute: 1e-6, "eager \(name)")
    }
  }

  /// In evaluation mode batch norms fold into the filters of all groups, which are packed once.
  @Test(arguments: ConvolutionPolicy.allCases)
  func foldedGradientsAgree(policy: ConvolutionPolicy) throws {
    let model = try Self.model()
    let builder = GraphBuilder(name: "folded")
    let images = try builder.images("x", model, Self.batch)
    let forward = try ForwardEmitter(builder: builder, model: model, mode: .eval)(images)
    let loss = try builder.meanCrossEntropy(forward.logits, builder.labels(Self.batch))
    let weights = try ["conv2", "conv3"].map { name in
      let info = try #require(model.parameters.first { $0.name == "\(name).weight" })
      return try builder.input(info.name, TensorType(.f32, info.shape), .parameter)
    }
    let gradients = try builder.emit("gradient", [loss, images] + weights)
    for (name, value) in zip(["dx", "dw2", "dw3"], gradients) { builder.output(name, value) }
    builder.output("logits", forward.logits)
    var inputs = Self.inputs(model, epoch: 0)
    for parameter in model.parameters where parameter.kind == .runningMean {
      inputs[parameter.name] = (0..<parameter.count).map { Double($0) / 20 }
    }
    let graph = builder.graph
    let request = CompileRequest(convolution: policy)
    let expected = try TestEngine.interpreter.run(graph, inputs)
    let runs = try [1, 2, 3].map {
      try TestEngine.compiled.run(graph, inputs, request, threads: $0)
    }
    #expect(runs[0] == runs[1] && runs[0] == runs[2])
    for (name, values) in expected {
      expectClose(runs[0][name], values, relative: 1e-4, "\(policy) \(name)")
    }
  }

  @Test func everyEpochDropsOthers() throws {
    let model = try Self.model()
    let graph = try TrainingGraph.build(model, batch: Self.batch)
    let losses = try [1, 1, 2].map {
      try TestEngine.compiled.run(graph, Self.inputs(model, epoch: $0))["loss"]
    }
    #expect(losses[0] == losses[1] && losses[0] != losses[2])
  }
}
