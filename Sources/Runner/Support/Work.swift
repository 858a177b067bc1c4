import Adversarial
import ArgumentParser
import Eager
import Engine
import IR
import Models

/// A unit of work that `clat benchmark` times: one batch through one or more programs.
enum Work: String, CaseIterable, ExpressibleByArgument {
  case forward, train, pgd
  /// PGD-10 and a training step on what it found.
  case pgdAT = "pgd-at"
  /// CLAT's inner maximisation and its weight update.
  case clat
  /// PGD-10 and the feature distances of all layers.
  case criticality

  static let list = allCases.map(\.rawValue).joined(separator: ", ")

  /// The programs in order; each but the last leaves `x_adv` for the next.
  ///
  /// - Parameter steps: of every attack.
  func programs(
    _ model: Model, batch: Int, critical: [String]?, steps: Int
  ) throws -> [(Graph, CompileRequest)] {
    var attack = Attack.paper
    attack.steps = steps
    func graph(_ name: ProgramName, images: String = "x") throws -> (Graph, CompileRequest) {
      try name.graph(model, batch: batch, critical: critical, images: images, attack: attack)
    }
    switch self {
    case .forward: return [try graph(.forward)]
    case .train: return [try graph(.train)]
    case .pgd: return [try graph(.attack)]
    case .pgdAT: return [try graph(.attack), try graph(.train, images: "x_adv")]
    case .clat: return [try graph(.clat)]
    case .criticality: return [try graph(.attack), try graph(.criticality)]
    }
  }
}

/// What executes programs in a benchmark.
enum EngineName: String, CaseIterable, ExpressibleByArgument {
  case compiled, eager
}

/// Work made ready on one engine.
protocol PreparedWork {
  /// Seconds spent compiling.
  var compileSeconds: Double { get }
  /// Bytes of arena and tensors, where the engine knows them beforehand.
  var plannedBytes: Int? { get }
  /// Bytes of the tensors that the programs share.
  var tensorBytes: Int { get }
  /// Operations of one run, a convolution's counted as direct, where the engine knows them.
  var flops: Double? { get }
  func run() throws
}

extension EngineName {
  /// The engine's programs of a work, with tensors of their own.
  func prepare(
    _ graphs: [(Graph, CompileRequest)], _ store: TensorStore, threads: Int
  ) throws -> any PreparedWork {
    switch self {
    case .compiled: try CompiledWork(graphs, store, threads: threads)
    case .eager: try EagerWork(graphs, store, threads: threads)
    }
  }
}

struct CompiledWork: PreparedWork {
  var tensorBytes: Int { store.bytes }
  let compileSeconds: Double
  let plannedBytes: Int?
  let flops: Double?
  private let programs: [Executable]
  private let store: TensorStore

  init(_ graphs: [(Graph, CompileRequest)], _ store: TensorStore, threads: Int) throws {
    let results = try CompiledWork.compile(graphs, threads: threads)
    compileSeconds = results.reduce(0) { $0 + $1.totalSeconds }
    plannedBytes = CompiledWork.footprint(results).bytes
    programs = try results.map { try Executable($0.program, store: store) }
    flops = results.reduce(0) { $0 + $1.program.flops }
    self.store = store
  }

  static func compile(
    _ graphs: [(Graph, CompileRequest)], threads: Int
  ) throws -> [Compiler.Result] {
    let options = Compiler.Options(threads: threads)
    return try graphs.map { try Compiler.compile($0.0, $0.1, options: options) }
  }

  static func footprint(_ results: [Compiler.Result]) -> MemoryFootprint {
    MemoryFootprint(results.map { ($0.program.name, $0.program) })
  }

  func run() throws {
    for (index, program) in programs.enumerated() {
      program.run()
      if index + 1 < programs.count { try program.copyOutput("x_adv", to: "x_adv") }
    }
  }
}

struct EagerWork: PreparedWork {
  var tensorBytes: Int { store.bytes }
  let compileSeconds = 0.0
  let plannedBytes: Int? = nil
  let flops: Double? = nil
  private let programs: [EagerExecutor]
  private let store: TensorStore

  init(_ graphs: [(Graph, CompileRequest)], _ store: TensorStore, threads: Int) throws {
    programs = try graphs.map { try EagerExecutor($0.0, $0.1, store: store, threads: threads) }
    self.store = store
  }

  func run() throws {
    for (index, program) in programs.enumerated() {
      try program.run()
      guard index + 1 < programs.count else { continue }
      let moved = try program.output("x_adv")
      try store.tensor("x_adv", moved.type).pointer.copyMemory(
        from: moved.pointer, byteCount: moved.type.byteCount)
    }
  }
}

extension TensorStore {
  /// Bytes of all tensors.
  fileprivate var bytes: Int { names.reduce(0) { $0 + (self[$1]?.type.byteCount ?? 0) } }
}
