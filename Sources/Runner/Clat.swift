import ArgumentParser
import Engine

/// The command line's root.
struct Clat: ParsableCommand {
  static let version = ProgramFile.engineVersion

  static let configuration = CommandConfiguration(
    commandName: Runner.name,
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
      CompileCommand.self, RunCommand.self, CacheCommand.self, ModelsCommand.self,
      DatasetsCommand.self, ConvertCommand.self, CheckpointCommand.self, DoctorCommand.self,
    ])
}
