import ArgumentParser
import Engine
import Foundation
import Storage

/// `clat cache`: what is kept of what was compiled.
struct CacheCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "cache", abstract: "Show, clear or limit what is kept of what was compiled.",
    discussion: """
      Programs of large networks and the code of fused regions are kept in $XDG_CACHE_HOME/clat, \
      by default ~/.cache/clat, so that they are not compiled again. They are found by all that \
      they depend on, and belong to one build of clat. What was not used for the longest time goes \
      when all exceed the limit. It is always safe to clear the cache.

      EXAMPLES
        clat cache
        clat cache show --json
        clat cache limit 100MB
        clat cache clear
      """,
    subcommands: [Show.self, Clear.self, Limit.self], defaultSubcommand: Show.self)

  /// The user's cache.
  private static func cache() throws -> DiskCache {
    guard let cache = DiskCache.standard else {
      throw Failure(.missingInput, "there is no cache folder that can be used")
    }
    return cache
  }

  struct Show: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "List the entries.")

    @Flag(help: "Print JSON: {folder, limit, bytes, entries: [{kind, about, bytes, age_seconds}]}.")
    var json = false

    func run() throws {
      let cache = try CacheCommand.cache()
      let entries = try cache.entries()
      let total = entries.reduce(0) { $0 + $1.bytes }
      if json {
        return try Output.json([
          "folder": .string(cache.folder.path), "limit": .int(cache.limit), "bytes": .int(total),
          "entries": .array(entries.map(Self.describe)),
        ])
      }
      var table = Table("kind", "bytes", "used", "what")
      for entry in entries {
        table.add(
          entry.kind.rawValue, "\(entry.bytes)", "\(Self.age(entry).duration) ago", entry.about)
      }
      if !entries.isEmpty { try Output.write(table.text) }
      try Output.line(
        "\(cache.folder.path): \(entries.count) entries, \(MemoryFootprint.megabytes(total)) of "
          + "\(MemoryFootprint.megabytes(cache.limit))")
    }

    private static func age(_ entry: DiskCache.Entry) -> Double {
      max(0, Date().timeIntervalSince(entry.used))
    }

    private static func describe(_ entry: DiskCache.Entry) -> JSON {
      [
        "kind": .string(entry.kind.rawValue), "about": .string(entry.about),
        "bytes": .int(entry.bytes), "age_seconds": .double(age(entry)),
      ]
    }
  }

  struct Clear: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Remove all entries.")

    func run() throws {
      let cache = try CacheCommand.cache()
      let count = try cache.entries().count
      try cache.clear()
      try Output.line("\(cache.folder.path): \(count) entries removed")
    }
  }

  struct Limit: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Set how large the cache may be, and remove what exceeds it.")

    @Argument(help: "256MiB, 100MB; 0B for no cache.")
    var size: String

    func run() throws {
      guard let bytes = size == "0B" ? 0 : ByteCount(argument: size)?.bytes else {
        throw Failure.usage("limit '\(size)': expected a size such as 256MiB or 100MB")
      }
      let cache = try CacheCommand.cache()
      do { try cache.setLimit(bytes) } catch {
        throw Failure(.cannotWrite, "\(cache.folder.path): \(error.localizedDescription)")
      }
      try Output.line("\(cache.folder.path): at most \(MemoryFootprint.megabytes(bytes))")
    }
  }
}
