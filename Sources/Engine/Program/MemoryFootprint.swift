import IR

/// What a piece of work keeps in memory at its peak, part by part, known before any of it runs.
public struct MemoryFootprint: Sendable {
  public struct Part: Sendable, Equatable {
    public var name: String
    public var bytes: Int

    public init(_ name: String, bytes: Int) {
      self.name = name
      self.bytes = bytes
    }
  }

  public var parts: [Part]

  /// - Parameters:
  ///   - programs: all that are kept at once, with the names of their arenas.
  ///   - others: what is kept besides.
  public init(_ programs: [(name: String, program: Program)], others: [Part] = []) {
    parts = programs.map { Part("arena of \($0.name)", bytes: $0.program.arenaBytes) }
    var tensors: [String: Program.Binding] = [:]
    for input in programs.flatMap(\.program.inputs) { tensors[input.name] = input }
    let kinds: [(String, Set<InputRole>)] = [
      ("parameters", [.parameter, .buffer]), ("optimiser state", [.state]),
      ("batch", [.data]),
    ]
    for (name, roles) in kinds {
      let bytes = tensors.values.filter { $0.role.map(roles.contains) == true }
        .reduce(0) { $0 + $1.type.byteCount }
      if bytes > 0 { parts.append(Part(name, bytes: bytes)) }
    }
    let scratch = programs.reduce(0) { $0 + $1.program.threads * Program.scratchBytes }
    parts += [Part("scratch", bytes: scratch)] + others
  }

  public var bytes: Int { parts.reduce(0) { $0 + $1.bytes } }

  /// The parts with their sizes, largest first: `arena of attack 164.3 MB, parameters 44.7 MB`.
  public var text: String {
    parts.filter { $0.bytes > 0 }.sorted { $0.bytes > $1.bytes }
      .map { "\($0.name) \(MemoryFootprint.megabytes($0.bytes))" }.joined(separator: ", ")
  }

  /// `164.3 MB`, in powers of ten.
  public static func megabytes(_ bytes: Int) -> String {
    let tenths = (bytes + 50_000) / 100_000
    return "\(tenths / 10).\(tenths % 10) MB"
  }

  /// The largest of 1 ... `limit` whose footprint is within `budget` bytes; nil where not even 1
  /// is. Footprints grow with the batch, so that a binary search finds it; nothing is executed.
  public static func largestBatch(
    upTo limit: Int, within budget: Int, _ footprint: (Int) throws -> MemoryFootprint
  ) rethrows -> Int? {
    var (fits, fails) = (0, limit + 1)
    while fails - fits > 1 {
      let middle = (fits + fails) / 2
      if try footprint(middle).bytes <= budget { fits = middle } else { fails = middle }
    }
    return fits > 0 ? fits : nil
  }
}
