import ArgumentParser
import Foundation

/// The command line's root: parses, runs, and turns every error into one line and an exit code.
@main
struct Clat: ParsableCommand {
  static let version = "0.1.0"

  static let configuration = CommandConfiguration(
    commandName: "clat",
    abstract: "Train image classifiers that resist adversarial perturbations, and measure them.",
    discussion: """
      Start with `clat quickstart`. Every subcommand has examples under --help.

      Exit codes follow sysexits: 0 done, 64 wrong usage, 65 bad data, 66 missing input, \
      70 internal, 73 and 74 cannot write, 130 interrupted.
      """,
    version: version,
    subcommands: [
      QuickstartCommand.self, TrainCommand.self, EvaluateCommand.self, PredictCommand.self,
      CriticalityCommand.self, InspectCommand.self, ProfileCommand.self, BenchmarkCommand.self,
      ModelsCommand.self, ConvertCommand.self, CheckpointCommand.self, DoctorCommand.self,
    ])

  static func main() {
    // A file larger than the process may write is an error to report, not a reason to die.
    signal(SIGXFSZ, SIG_IGN)
    do {
      var command = try parseAsRoot()
      try command.run()
    } catch {
      Failure.exit(error)
    }
  }
}
