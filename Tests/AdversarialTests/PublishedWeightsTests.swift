import Adversarial
import Datasets
import Foundation
import Models
import Storage
import TestSupport
import Testing

/// Published ResNet-20 weights on official CIFAR-10 images, against PyTorch.
@Suite struct PublishedWeightsTests {
  static let data = ProcessInfo.processInfo.environment["CLAT_DATA"]
  static let weights = ProcessInfo.processInfo.environment["CLAT_WEIGHTS"]

  private func session(
    threads: Int = 2, file: String = "resnet20-cifar10.safetensors"
  ) throws -> (ModelSession, Dataset) {
    let (data, weights) = (try #require(Self.data), try #require(Self.weights))
    let model = try Model(
      ModelSpec("resnet20"), imageShape: (32, 32, 3), classes: 10, mean: [0.485, 0.456, 0.406],
      std: [0.229, 0.224, 0.225])
    let session = try ModelSession(model, seed: 0, threads: threads)
    let notes = try session.load(WeightFile.read(weights + "/" + file))
    #expect(notes.isEmpty)
    let folder = data + "/cifar-10-batches-bin"
    return (session, try Dataset.load(folder, split: .test))
  }

  @Test(
    .enabled(
      if: data != nil && weights != nil,
      "CLAT_DATA and CLAT_WEIGHTS are not set: published weights are not evaluated"))
  func logitsAndAccuracyAreThoseOfPyTorch() throws {
    let (session, test) = try session()
    let golden = try Safetensors.read(GoldenFile.folder + "/published-resnet20.safetensors")
    let eight = try Evaluation.run(
      session, test.subset(8), .init(batchSize: 8, keepsImages: true))
    let expected = try #require(golden["logits"]).floats().map(Double.init)
    expectClose(eight.cleanLogits.map(Double.init), expected, relative: 1e-5, "logits")

    try expectInputGradient(golden, session, test)

    let attack = Attack(eps: Golden.eps, step: Golden.step, steps: 10)
    let result = try Evaluation.run(
      session, test.subset(500), .init(attack: attack, batchSize: 128, keepsImages: true))
    #expect(abs(result.cleanAccuracy - 0.9178) < 0.03)
    #expect(try #require(result.robustAccuracy) < 0.01)
    let recheck = try Evaluation.recheck(
      session, test.subset(500), adversarial: result.adversarial, eps: Golden.eps.value,
      expected: result.robustCorrect.count { $0 })
    #expect(recheck.problems == [])
  }

  @Test(
    .enabled(
      if: data != nil && weights != nil,
      "CLAT_DATA and CLAT_WEIGHTS are not set: the published checkpoint is not read"))
  func theCheckpointItselfIsRead() throws {
    let (session, test) = try session(file: "resnet20-12fca82f.th")
    let golden = try Safetensors.read(GoldenFile.folder + "/published-resnet20-logits.safetensors")
    let result = try Evaluation.run(
      session, test.subset(1000), .init(batchSize: 128, keepsImages: true))
    let expected = try #require(golden["logits"]).floats().map(Double.init)
    expectClose(result.cleanLogits.map(Double.init), expected, relative: 1e-5, "logits")
    #expect(try golden["correct"]?.integers() == [Int64(result.cleanCorrect.count { $0 })])
  }

  private func expectInputGradient(
    _ golden: Safetensors, _ session: ModelSession, _ test: Dataset
  ) throws {
    let count = 8
    var inputs: [String: [Double]] = [
      "x": try test.pixels().prefix(count * test.shape.count).map { Double($0) / 255 },
      "labels": test.labels.prefix(count).map(Double.init),
    ]
    for tensor in try session.storedTensors() {
      inputs[tensor.name] = try tensor.floats().map(Double.init)
    }
    let planar = try #require(golden["input_gradient"]).floats().map(Double.init)
    let size = 3 * 32 * 32
    let expected = (0..<count).flatMap { image in
      ImageLayout.interleaved(
        Array(planar[image * size..<(image + 1) * size]), height: 32, width: 32, channels: 3)
    }
    let graph = try gradientGraph(session.model, batch: count, .eval)
    for engine in [TestEngine.compiled, .eager] {
      let result = try engine.run(graph, inputs)
      expectClose(result["gradient.x"], expected, relative: 1e-4, "input gradient, \(engine)")
    }
  }
}
