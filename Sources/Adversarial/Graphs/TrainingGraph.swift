import IR
import Models

/// One step of ordinary or adversarial training.
public enum TrainingGraph {
  /// Batch norm in training mode, mean cross entropy, one SGD step for every trainable parameter.
  ///
  /// Inputs: `images` (f32 NHWC), `labels` (i32 [N]), `lr` (f32 [1]), parameters, running
  /// statistics, momentum as `optimizer.<parameter>`, and where the network has dropouts `ids` (i32
  /// [N]) and `stream` (i32 [4]). Outputs: the new parameters, momentum and
  /// statistics, each updating its input; `loss` (f32 [1]); `correct` (i32 [N], before the step).
  ///
  /// - Parameters:
  ///   - batch: images, at least 1.
  ///   - images: the input's name, `x_adv` to train on what an attack has left there.
  public static func build(
    _ model: Model, batch: Int, _ optimizer: SGDOptions = SGDOptions(), images: String = "x"
  ) throws -> Graph {
    let builder = GraphBuilder(name: "train")
    builder.header("batch", .int(batch))
    builder.header("mode", .string(BatchNormMode.train.rawValue))
    let emitter = ForwardEmitter(builder: builder, model: model, mode: .train)
    let labels = try builder.labels(batch)
    let logits = try emitter(builder.images(images, model, batch)).logits
    let loss = try builder.meanCrossEntropy(logits, labels)
    builder.output("loss", loss)
    builder.output("correct", try builder.emitOne("correct", [logits, labels]))
    try builder.descend(loss, model, optimizer)
    emitter.outputBufferUpdates()
    return builder.graph
  }
}
