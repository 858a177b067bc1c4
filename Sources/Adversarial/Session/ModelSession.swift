import Datasets
import Engine
import IR
import Models

/// A model's tensors in memory, and the programs compiled for it.
///
/// Programs are compiled at their first use and kept by what they depend on. All share one store,
/// in which tensors that depend on the batch size carry it in their names (`x.128`).
public final class ModelSession {
  public let model: Model
  public let store = TensorStore()
  public let threads: Int
  public let convolution: ConvolutionPolicy
  /// Seconds spent compiling so far.
  public private(set) var compileSeconds = 0.0
  private var programs: [Place: Executable] = [:]

  private struct Place: Hashable {
    var key: ProgramKey
    var batch: Int
  }

  /// - Parameters:
  ///   - values: every parameter and buffer by name, in PyTorch's layouts.
  ///   - threads: 0 for all that the process may use. Results do not depend on it.
  ///   - convolution: how convolutions are computed. Results differ by rounding.
  /// - Throws: IRError for a tensor that is missing or of the wrong size.
  public init(
    _ model: Model, values: [String: [Float]], threads: Int = 0,
    convolution: ConvolutionPolicy = .auto
  ) throws {
    self.model = model
    self.convolution = convolution
    self.threads = threads > 0 ? threads : Team.availableThreads
    for parameter in model.parameters {
      guard let tensor = values[parameter.name] else {
        throw IRError("\(model.name): no values for '\(parameter.name)'")
      }
      try store.set(parameter.name, TensorType(.f32, parameter.shape), tensor)
    }
  }

  /// A session with freshly drawn weights.
  public convenience init(
    _ model: Model, seed: UInt64, threads: Int = 0, convolution: ConvolutionPolicy = .auto
  ) throws {
    try self.init(
      model, values: model.initialValues(seed: seed), threads: threads, convolution: convolution)
  }

  /// The program for a batch size, compiled now or earlier.
  public func program(_ key: ProgramKey, batch: Int) throws -> Executable {
    let place = Place(key: key, batch: batch)
    if let known = programs[place] { return known }
    let (program, seconds) = try compile(key, batch: batch)
    compileSeconds += seconds
    let executable = try Executable(program, store: store)
    programs[place] = executable
    return executable
  }

  /// Takes a program that `compile` made earlier, perhaps in another process.
  public func use(
    _ program: Program, on instructionSet: InstructionSet, as key: ProgramKey, batch: Int
  ) throws {
    programs[Place(key: key, batch: batch)] = try Executable(
      program, store: store, instructionSet: instructionSet)
  }

  /// The program with its memory planned, but not made.
  func compile(_ key: ProgramKey, batch: Int) throws -> (program: Program, seconds: Double) {
    try key.compile(model, batch: batch, threads: threads, convolution: convolution)
  }

  /// Forgets compiled programs, and with them their memory.
  public func drop(where isStale: (ProgramKey) -> Bool) {
    programs = programs.filter { !isStale($0.key.key) }
  }

  static func name(_ input: String, _ batch: Int) -> String { "\(input).\(batch)" }
}

extension ModelSession {
  /// The images `x`, `x_adv` or `x_base` of a batch size: f32 NHWC.
  public func images(_ name: String, _ batch: Int) throws -> Tensor {
    let (height, width, channels) = model.imageShape
    return try store.tensor(Self.name(name, batch), .f32(batch, height, width, channels))
  }

  /// Copies a batch into `x`, `labels` and `ids`.
  ///
  /// - Throws: IRError where the images do not have the model's shape.
  public func load(_ batch: Batch) throws {
    let images = try images("x", batch.count)
    guard images.floats.count == batch.images.count else {
      throw IRError("\(model.name): images must have shape \(images.type.shape.dropFirst())")
    }
    _ = images.floats.update(fromContentsOf: batch.images)
    let vector = TensorType.i32(batch.count)
    _ = try store.tensor(Self.name("labels", batch.count), vector).integers
      .update(fromContentsOf: batch.labels)
    _ = try store.tensor(Self.name("ids", batch.count), vector).integers
      .update(fromContentsOf: batch.ids)
  }

  /// Runs an attack on the loaded batch and leaves its result in the images `target`.
  public func attack(
    _ attack: Attack, _ objective: AttackObjective = .crossEntropy, batch: Int,
    stream: RandomStream, into target: String = "x_adv"
  ) throws {
    let program = try program(.attack(attack, objective), batch: batch)
    try setStream(stream)
    program.run()
    try program.copyOutput("x_adv", to: Self.name(target, batch))
  }

  /// Sets the input `stream`, from which random starts and dropouts are drawn.
  func setStream(_ stream: RandomStream) throws {
    _ = try store.tensor("stream", .i32(4)).integers.update(from: stream.operand)
  }

  /// Sets a scalar input: `lr`, `lambda`.
  public func setScalar(_ name: String, _ value: Double) throws {
    try store.tensor(name, .f32(1)).floats[0] = Float(value)
  }
}
