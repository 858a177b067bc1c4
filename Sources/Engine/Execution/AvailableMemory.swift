import Foundation

/// The memory that this process may still take.
public enum AvailableMemory {
  /// The system's MemAvailable, limited by what the control group and those above it leave; nil
  /// where the system does not tell.
  public static var bytes: Int? {
    bytes(meminfo: "/proc/meminfo", membership: "/proc/self/cgroup", root: "/sys/fs/cgroup")
  }

  /// The same from other files, for tests.
  public static func bytes(meminfo: String, membership: String, root: String) -> Int? {
    let groups = (text(membership) ?? "0::/").split(separator: "\n").flatMap { line in
      folders(line, root)
    }
    return ([system(meminfo)] + groups.map(left)).compactMap { $0 }.min()
  }

  private static func system(_ meminfo: String) -> Int? {
    let line = text(meminfo)?.split(separator: "\n").first { $0.hasPrefix("MemAvailable:") }
    return line?.split(separator: " ").dropFirst().first.flatMap { Int($0) }.map { $0 * 1024 }
  }

  /// The folders of a line `hierarchy:controllers:group`, from the root down to the group; none
  /// where the line is of another controller.
  private static func folders(_ line: Substring, _ root: String) -> [String] {
    let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
    guard fields.count == 3 else { return [] }
    let controllers = fields[1].split(separator: ",")
    guard controllers.isEmpty || controllers.contains("memory") else { return [] }
    let base = controllers.isEmpty ? root : "\(root)/\(fields[1])"
    let names = fields[2].split(separator: "/")
    return (0...names.count).map { depth in
      names.prefix(depth).reduce(base) { "\($0)/\($1)" }
    }
  }

  /// What a group's limit leaves; files that the system can drop do not count as used.
  private static func left(_ folder: String) -> Int? {
    for (limit, usage, cache) in [
      ("memory.max", "memory.current", "inactive_file"),
      ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    ] {
      guard let limit = number("\(folder)/\(limit)"), let used = number("\(folder)/\(usage)")
      else { continue }
      let statistics = text("\(folder)/memory.stat")?.split(separator: "\n") ?? []
      let line = statistics.first { $0.hasPrefix(cache + " ") }
      let dropped = line?.split(separator: " ").last.flatMap { Int($0) } ?? 0
      return max(0, limit - max(0, used - dropped))
    }
    return nil
  }

  private static func number(_ path: String) -> Int? {
    text(path).flatMap { Int($0.trimmingCharacters(in: .whitespacesAndNewlines)) }
  }

  private static func text(_ path: String) -> String? {
    try? String(contentsOfFile: path, encoding: .utf8)
  }
}
