import Foundation
import Models

/// The command line as a library: every subcommand of `clat`, for programs that bring networks of
/// their own.
public enum Runner {
  /// Parses the process's arguments and runs the subcommand. An error is one line on standard error
  /// and ends the process with an exit code of sysexits.h.
  ///
  /// - Parameter architectures: networks that `--model` and recipes know beside the built-in ones.
  ///   A name that is taken is an error.
  public static func main(architectures: [Architecture] = []) {
    // A file larger than the process may write is an error to report, not a reason to die.
    signal(SIGXFSZ, SIG_IGN)
    do {
      try architectures.forEach(Architecture.register)
      var command = try Clat.parseAsRoot()
      try command.run()
    } catch {
      Failure.exit(error)
    }
  }

  /// The name that the program was called by, for usage and advice.
  static let name = URL(fileURLWithPath: CommandLine.arguments.first ?? "clat").lastPathComponent
}
