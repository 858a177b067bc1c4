import IR
import Models

/// The model's output in evaluation mode.
public enum EvaluationGraph {
  /// Inputs: `images` (f32 NHWC) and `labels` (i32 [N]). Outputs: `logits` (f32 [N, classes]),
  /// `correct` (i32 [N]), `losses` (cross entropy, f32 [N]) and `loss` (their mean, f32 [1]).
  ///
  /// - Parameter images: the input's name, `x_adv` for what an attack has left there.
  public static func build(_ model: Model, batch: Int, images: String = "x") throws -> Graph {
    let builder = GraphBuilder(name: "forward")
    builder.header("batch", .int(batch))
    builder.header("mode", .string(BatchNormMode.eval.rawValue))
    let labels = try builder.labels(batch)
    let logits = try ForwardEmitter(builder: builder, model: model, mode: .eval)(
      builder.images(images, model, batch)
    ).logits
    let losses = try builder.emitOne("cross_entropy", [logits, labels])
    builder.output("logits", logits)
    builder.output("correct", try builder.emitOne("correct", [logits, labels]))
    builder.output("losses", losses)
    builder.output("loss", try builder.emitOne("mean", [losses]))
    return builder.graph
  }
}
