import ArgumentParser
import Foundation
import IR
import Storage

/// `clat checkpoint`: files of weights.
struct CheckpointCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "checkpoint", abstract: "Look into checkpoints and files of weights.",
    subcommands: [Show.self])

  /// `clat checkpoint show`.
  struct Show: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Show what a file of weights says of itself.",
      discussion: """
        Reads every format that --weights takes. Of a checkpoint of clat the content is checked \
        against its hash; where it stands in a run's folder, the run's last metrics up to it are shown.

        EXAMPLES
          clat checkpoint show runs/mine
          clat checkpoint show resnet20.th --tensors
          clat checkpoint show best.pth --json
        """)

    @Argument(help: "A file of weights, or a run's folder for its latest checkpoint.")
    var file: String

    @Flag(help: "List every tensor.")
    var tensors = false

    @Flag(
      help: """
        Print JSON: {file, format, hash, checkpoint, run, metrics, fields, parts: [{name, tensors, \
        parameters, hash, types}], tensors: [{name, type, shape}]}.
        """)
    var json = false

    func run() throws {
      let source = WeightSource(path: file)
      let summary = try WeightSummary(source.located(warn: { Output.note("clat: \($0)") }).path)
      if json { return try Output.json(summary.json) }
      try Output.write(Self.facts(summary) + "\n" + Self.parts(summary))
      if tensors { try Output.write("\n" + Self.list(summary)) }
    }

    private static func facts(_ summary: WeightSummary) -> String {
      let file = summary.file
      var lines = ["file: \(file.file)"]
      lines.append("format: \(file.format)\(summary.isCheckpoint ? ", checkpoint of clat" : "")")
      lines.append("hash: \(summary.hash)")
      if let run = summary.run { lines.append("run: \(run) (recipe.yaml)") }
      lines += file.fields.map { "\(printable($0.name)): \(text($0.value))" }
      if case .object(let metrics)? = summary.metrics {
        lines.append("metrics: " + metrics.map { "\($0.0) \(text($0.1))" }.joined(separator: ", "))
      }
      return lines.joined(separator: "\n") + "\n"
    }

    private static func text(_ value: JSON) -> String {
      if case .string(let text) = value { return printable(text) }
      return value.text()
    }

    private static func parts(_ summary: WeightSummary) -> String {
      var table = Table("part", "tensors", "numbers", "hash", "types")
      for part in summary.file.parts {
        table.add(
          part.name.isEmpty ? "-" : part.name, "\(part.tensors.count)", "\(part.elements)",
          part.tensors.contentHash, part.types.map(\.rawValue).joined(separator: " "))
      }
      return table.text
    }

    private static func list(_ summary: WeightSummary) -> String {
      var table = Table("tensor", "type", "shape")
      for tensor in summary.file.tensors {
        table.add(printable(tensor.name), tensor.type.rawValue, "\(tensor.shape)")
      }
      return table.text
    }
  }
}
