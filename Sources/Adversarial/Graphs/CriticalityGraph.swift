import IR
import Models

/// The feature distances behind weakness and criticality: two forward passes with all taps.
public enum CriticalityGraph {
  /// Inputs: `x` and `x_adv` (f32 NHWC). Outputs, f32 [N] each: `distance.<i>` with
  /// ||F_i(x_adv) - F_i(x)||_2 of every image for each of `Model.units`, `distance.input` with
  /// ||x_adv - x||_2, and on request `norm.<i>` and `norm.input` with the lengths at x.
  public static func build(
    _ model: Model, batch: Int, tap: FeatureTap = .activation, norms: Bool = false
  ) throws -> Graph {
    let builder = GraphBuilder(name: "criticality")
    builder.header("batch", .int(batch))
    builder.header("tap", .string(tap.rawValue))
    let emitter = ForwardEmitter(builder: builder, model: model, mode: .eval)
    let images = try (builder.images("x", model, batch), builder.images("x_adv", model, batch))
    let (clean, moved) = try (emitter(images.0), emitter(images.1))
    var pairs = [("input", images.0, images.1)]
    for (index, (a, b)) in zip(clean.features, moved.features).enumerated() {
      pairs.append(("\(index)", tap.value(a), tap.value(b)))
    }
    for (name, a, b) in pairs {
      builder.output("distance.\(name)", try builder.emitOne("feature_distance", [b, a]))
      guard norms else { continue }
      let zero = try builder.emitOne("scale", [a], ["factor": .float(0)])
      builder.output("norm.\(name)", try builder.emitOne("feature_distance", [a, zero]))
    }
    return builder.graph
  }

  /// Elements of every unit's feature for one image: N_i.
  public static func sizes(_ model: Model, tap: FeatureTap = .activation) throws -> [Int] {
    let builder = GraphBuilder(name: "sizes")
    let forward = try ForwardEmitter(builder: builder, model: model, mode: .eval)(
      builder.images("x", model, 1))
    return forward.features.map { builder.type(tap.value($0)).count }
  }
}
