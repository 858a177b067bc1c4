import Adversarial
import Datasets
import Engine
import IR
import Models

/// A model's tensors and one batch of random images: all that a program needs to be timed.
struct Workbench {
  let model: Model
  let batch: Int
  let store = TensorStore()

  init(_ model: Model, batch: Int, seed: UInt64 = 0) throws {
    self.model = model
    self.batch = batch
    let values = model.initialValues(seed: seed)
    for parameter in model.parameters {
      try store.set(
        parameter.name, TensorType(.f32, parameter.shape), values[parameter.name] ?? [])
    }
    try fill()
  }

  private func fill() throws {
    let data = try SyntheticData.make(model, count: batch)
    let (height, width, channels) = model.imageShape
    let type = TensorType.f32(batch, height, width, channels)
    let images = try data.pixels().map { Float($0) / 255 }
    // A perturbation of CLAT's usual size, so that no feature distance is zero.
    let moved = images.enumerated().map { min(1, max(0, $1 + ($0 % 2 == 0 ? 0.03 : -0.03))) }
    try store.set("x", type, images)
    try store.set("x_adv", type, moved)
    try store.set("lr", .f32(1), [0.01])
    try store.set("lambda", .f32(1), [1])
    try set("labels", data.labels)
    try set("ids", data.ids)
    try set("stream", RandomStream(seed: 0, epoch: 0, purpose: .attackStart).operand)
  }

  private func set(_ name: String, _ values: [Int32]) throws {
    _ = try store.tensor(name, .i32(values.count)).integers.update(from: values)
  }
  /// A program that a session's tensors may belong to: inputs that carry the batch size in their
  /// names (`x.128`) are filled from those that do not.
  func executable(_ program: Program, on instructionSet: InstructionSet) throws -> Executable {
    for input in program.inputs where store[input.name] == nil {
      let parts = input.name.split(separator: ".")
      guard input.role == .data, parts.count == 2, let plain = store[String(parts[0])],
        plain.type.byteCount >= input.type.byteCount
      else { continue }
      try store.tensor(input.name, input.type).pointer
        .copyMemory(from: plain.pointer, byteCount: input.type.byteCount)
    }
    return try Executable(program, store: store, instructionSet: instructionSet)
  }
}
