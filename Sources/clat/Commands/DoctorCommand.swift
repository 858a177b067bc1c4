import ArgumentParser
import Datasets
import Engine
import Foundation
import Storage

/// `clat doctor`: whether this machine has what clat needs.
struct DoctorCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "doctor", abstract: "Check the machine and say what to do about it.",
    discussion: """
      Ends with 0 where everything needed is there, else with 1.

      EXAMPLES
        clat doctor
        clat doctor --data cifar-10-batches-bin
      """)

  @Option(help: "Also check the data there.")
  var data: String?

  @Flag(help: "Print JSON: {ok, checks: [{name, ok, found, advice}]}.")
  var json = false

  func run() throws {
    let checks = Diagnosis.machine() + (data.map { Diagnosis.data($0) } ?? [])
    let healthy = checks.allSatisfy(\.ok)
    if json {
      try Output.json(["ok": .bool(healthy), "checks": .array(checks.map(\.json))])
    } else {
      var table = Table("", "check", "found")
      for check in checks {
        table.add(check.ok ? "ok" : "PROBLEM", check.name, check.found)
      }
      try Output.write(table.text)
      for check in checks { if let advice = check.advice { try Output.line("-> \(advice)") } }
    }
    if !healthy { throw ExitCode(1) }
  }
}

/// What one check found.
struct Diagnosis {
  var name: String
  var ok: Bool
  var found: String
  /// What to do, where something can be done.
  var advice: String?

  var json: JSON {
    [
      "name": .string(name), "ok": .bool(ok), "found": .string(found),
      "advice": advice.map(JSON.string) ?? .null,
    ]
  }

  static func machine() -> [Diagnosis] {
    [cpu(), instructionSets(), threads(), memory(), openMP(), fusedRegions()] + packages()
      + data("digits")
  }

  static func data(_ source: String) -> [Diagnosis] {
    Split.allCases.map { split in
      let name = "data \(source) \(split.rawValue)"
      do {
        let dataset = try Dataset.load(source, split: split)
        let notes = dataset.notes.isEmpty ? "" : " (\(dataset.notes.joined(separator: "; ")))"
        return Diagnosis(
          name: name, ok: true,
          found:
            "\(dataset.count) images of \(dataset.shape), \(dataset.classes.count) classes\(notes)")
      } catch {
        return Diagnosis(
          name: name, ok: false, found: "\(error)", advice: "mend or name other data with --data")
      }
    }
  }

  private static func cpu() -> Diagnosis {
    let info = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? ""
    let line = info.split(separator: "\n").first { $0.hasPrefix("model name") }
    let name = line?.split(separator: ":").last.map { $0.trimmingCharacters(in: .whitespaces) }
    return Diagnosis(name: "CPU", ok: true, found: name ?? "unknown")
  }

  private static func instructionSets() -> Diagnosis {
    let supported = InstructionSet.allCases.filter { $0 != .reference && $0.isSupported }
    let best = InstructionSet.best
    let slow = best == .portable
    return Diagnosis(
      name: "instruction sets", ok: true,
      found: "\(supported.map(\.rawValue).joined(separator: ", ")); used: \(best)",
      advice: slow ? "this CPU has no AVX2: kernels run in their portable, slower form" : nil)
  }

  private static func threads() -> Diagnosis {
    let (available, online) = (Team.availableThreads, ProcessInfo.processInfo.processorCount)
    let load = (try? String(contentsOfFile: "/proc/loadavg", encoding: .utf8))?
      .split(separator: " ").first.flatMap { Double($0) }
    let busy = load.map { $0 > 0.7 * Double(online) } ?? false
    return Diagnosis(
      name: "threads", ok: true,
      found: "\(available) of \(online) CPUs, load \(load?.fixed(2) ?? "unknown")",
      advice: busy ? "other processes use the CPUs: times will be longer than they could be" : nil)
  }

  private static func memory() -> Diagnosis {
    let info = (try? String(contentsOfFile: "/proc/meminfo", encoding: .utf8)) ?? ""
    func kilobytes(_ field: String) -> Double? {
      info.split(separator: "\n").first { $0.hasPrefix(field + ":") }?
        .split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Double($0) }
    }
    guard let available = kilobytes("MemAvailable"), let total = kilobytes("MemTotal") else {
      return Diagnosis(name: "memory", ok: true, found: "unknown")
    }
    return Diagnosis(
      name: "memory", ok: available > 1e6,
      found: "\((available / 1e6).fixed(1)) of \((total / 1e6).fixed(1)) GB available",
      advice: available > 2e6 ? nil : "less than 2 GB are free: choose small batches")
  }

  private static func openMP() -> Diagnosis {
    let maps = (try? String(contentsOfFile: "/proc/self/maps", encoding: .utf8)) ?? ""
    func loaded(_ library: String) -> String? {
      maps.split(separator: "\n").first { $0.contains("/" + library) }?
        .split(separator: " ").last.map(String.init)
    }
    if let other = loaded("libgomp.so") {
      return Diagnosis(
        name: "OpenMP", ok: false, found: "\(other) beside libomp",
        advice: "do not preload libgomp: two OpenMP runtimes fight for the CPUs")
    }
    return Diagnosis(name: "OpenMP", ok: true, found: loaded("libomp.so") ?? "linked statically")
  }

  private static func fusedRegions() -> Diagnosis {
    let interpreted = FusedBackend.preferred == .blocks
    return Diagnosis(
      name: "fused regions", ok: true, found: FusedBackend.explanation,
      advice: interpreted ? "with LLVM (apt-get install llvm-dev) activations run faster" : nil)
  }

  private static func packages() -> [Diagnosis] {
    ["libomp-dev", "libopenblas-dev", "llvm-dev", "zlib1g-dev"].map { package in
      let version = installedVersion(package)
      return Diagnosis(
        name: package, ok: version != nil, found: version ?? "not installed",
        advice: version == nil ? "apt-get install \(package)" : nil)
    }
  }

  private static func installedVersion(_ package: String) -> String? {
    let status = (try? String(contentsOfFile: "/var/lib/dpkg/status", encoding: .utf8)) ?? ""
    guard let start = status.range(of: "\nPackage: \(package)\n") else { return nil }
    let entry =
      status[start.upperBound...].prefix { _ in true }
      .components(separatedBy: "\n\n").first ?? ""
    let lines = entry.split(separator: "\n")
    guard lines.contains("Status: install ok installed") else { return nil }
    return lines.first { $0.hasPrefix("Version: ") }.map { String($0.dropFirst(9)) }
  }
}
