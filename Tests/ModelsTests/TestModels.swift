import IR

@testable import Models

let cifar = (height: 32, width: 32, channels: 3)

func makeModel(
  _ text: String, _ shape: (height: Int, width: Int, channels: Int) = cifar, classes: Int = 10
) throws -> Model {
  try Model(ModelSpec(text), imageShape: shape, classes: classes)
}

/// A model emitted once into a fresh graph.
func emitted(
  _ model: Model, _ mode: BatchNormMode, batch: Int = 2
) throws -> (graph: Graph, forward: Forward) {
  let builder = GraphBuilder(name: model.name)
  let (height, width, channels) = model.imageShape
  let images = try builder.input("images", .f32(batch, height, width, channels), .data)
  let forward = try ForwardEmitter(builder: builder, model: model, mode: mode)(images)
  return (builder.graph, forward)
}

func message(_ body: () throws -> Void) -> String {
  do {
    try body()
    return "no error"
  } catch { return "\(error)" }
}

extension Graph {
  /// The operation that makes a value, or "input".
  func maker(_ value: ValueID) -> String {
    definitions[value.index].map { nodes[$0].op } ?? "input"
  }
}
