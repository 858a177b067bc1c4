/// Places buffers with known lifetimes in one arena.
///
/// Two greedy orders are tried, by size and by size times lifetime; each buffer goes to the
/// smallest gap among the placed buffers whose lifetimes overlap with its own. The better plan is
/// kept.
public struct MemoryPlan: Sendable {
  /// What is to be placed.
  public struct Request: Sendable {
    public var bytes: Int
    public var lifetime: ClosedRange<Int>

    public init(bytes: Int, lifetime: ClosedRange<Int>) {
      self.bytes = bytes
      self.lifetime = lifetime
    }
  }

  /// Every buffer begins on a cache line.
  public static let alignment = 64

  /// Offsets by request.
  public let offsets: [Int]
  public let arenaBytes: Int
  /// The largest sum of bytes live at one instruction.
  public let lowerBound: Int

  public init(_ requests: [Request]) {
    let sizes = requests.map { MemoryPlan.aligned($0.bytes) }
    let bySize = requests.indices.sorted { (sizes[$1], $0) < (sizes[$0], $1) }
    let byArea = requests.indices.sorted {
      (sizes[$1] * requests[$1].lifetime.count, $0) < (sizes[$0] * requests[$0].lifetime.count, $1)
    }
    let plans = [bySize, byArea].map { MemoryPlan.place(requests, sizes, order: $0) }
    let best = plans.min { $0.end < $1.end }
    offsets = best?.offsets ?? []
    arenaBytes = best?.end ?? 0
    lowerBound = MemoryPlan.peak(requests, sizes)
  }

  private static func aligned(_ bytes: Int) -> Int {
    (max(bytes, 1) + alignment - 1) / alignment * alignment
  }

  private static func place(
    _ requests: [Request], _ sizes: [Int], order: [Int]
  ) -> (offsets: [Int], end: Int) {
    var offsets = [Int](repeating: 0, count: requests.count)
    var placed: [Int] = []
    var end = 0
    for index in order {
      let neighbours = placed.filter { requests[$0].lifetime.overlaps(requests[index].lifetime) }
        .sorted { offsets[$0] < offsets[$1] }
      var best: (offset: Int, gap: Int)?
      var cursor = 0
      for neighbour in neighbours {
        let gap = offsets[neighbour] - cursor
        if gap >= sizes[index], gap < best?.gap ?? .max { best = (cursor, gap) }
        cursor = max(cursor, offsets[neighbour] + sizes[neighbour])
      }
      offsets[index] = best?.offset ?? cursor
      end = max(end, offsets[index] + sizes[index])
      placed.append(index)
    }
    return (offsets, end)
  }

  private static func peak(_ requests: [Request], _ sizes: [Int]) -> Int {
    var changes: [Int: Int] = [:]
    for (request, size) in zip(requests, sizes) {
      changes[request.lifetime.lowerBound, default: 0] += size
      changes[request.lifetime.upperBound + 1, default: 0] -= size
    }
    var (live, peak) = (0, 0)
    for time in changes.keys.sorted() {
      live += changes[time] ?? 0
      peak = max(peak, live)
    }
    return peak
  }
}
