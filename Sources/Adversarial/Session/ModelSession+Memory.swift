import Datasets
import Engine
import IR

extension ModelSession {
  /// A program that some work will ask for.
  public struct Need: Sendable, Hashable {
    public var key: ProgramKey
    public var batch: Int
  }

  /// What the work keeps in memory if these are its programs; they are planned, not executed.
  ///
  /// - Parameter others: what it keeps besides, such as its images.
  public func footprint(
    _ needs: [Need], others: [MemoryFootprint.Part]
  ) throws -> MemoryFootprint {
    var seen = Set<Need>()
    let programs = try needs.filter { seen.insert($0).inserted }.map { need in
      let program = try compile(need.key, batch: need.batch).program
      return (name: "\(program.name) \(need.batch)", program: program)
    }
    return MemoryFootprint(programs, others: others)
  }

  /// The sizes of the batches of `count` images: whole ones, and the rest.
  static func sizes(_ count: Int, _ batch: Int, keepsRest: Bool = true) -> [Int] {
    [count >= batch ? batch : 0, keepsRest ? count % batch : 0].filter { $0 > 0 }
  }
}

extension Evaluation {
  /// The programs that `run` will ask for.
  public static func needs(count: Int, _ options: Options) -> [ModelSession.Need] {
    ModelSession.sizes(count, options.batchSize).flatMap { batch in
      let attacked = options.attack.map { attack -> [ProgramKey] in
        [.attack(attack, .crossEntropy), .evaluation(images: "x_adv")]
      }
      return ([.evaluation()] + (attacked ?? [])).map { ModelSession.Need(key: $0, batch: batch) }
    }
  }

  /// What an evaluation of `dataset` keeps in memory.
  public static func footprint(
    _ session: ModelSession, _ dataset: Dataset, _ options: Options
  ) throws -> MemoryFootprint {
    let kept = options.keepsImages ? dataset.count * dataset.shape.count * 4 : 0
    return try session.footprint(
      needs(count: dataset.count, options),
      others: [
        .init("data set", bytes: dataset.residentBytes), .init("kept images", bytes: kept),
        .init(
          "batches ahead",
          bytes: BatchLoader.bytes(shape: dataset.shape, batchSize: options.batchSize)),
      ])
  }
}
