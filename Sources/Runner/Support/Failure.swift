import Adversarial
import ArgumentParser
import Datasets
import Engine
import Foundation
import IR
import Models
import Storage

/// An error with its exit code (sysexits.h).
struct Failure: Error, CustomStringConvertible {
  enum Code: Int32 {
    case usage = 64
    case badData = 65
    case missingInput = 66
    case internalError = 70
    case cannotCreate = 73
    case cannotWrite = 74
    case interrupted = 130
  }

  var code: Code
  var description: String

  init(_ code: Code, _ description: String) {
    self.code = code
    self.description = description
  }

  static func usage(_ text: String) -> Failure { Failure(.usage, text) }
  static func badData(_ text: String) -> Failure { Failure(.badData, text) }

  /// Runs `body`; what is wrong with a graph or a model there is the fault of what the user gave.
  static func blaming<T>(_ code: Code, _ place: String, _ body: () throws -> T) throws -> T {
    do {
      return try body()
    } catch let error as IRError {
      throw Failure(code, "\(place): \(error.message)")
    } catch let error as ModelError {
      throw Failure(code, "\(place): \(error.message)")
    }
  }

  /// Prints the error in one line on standard error and ends the process.
  static func exit(_ error: any Error) -> Never {
    if let failure = classify(error) {
      Output.note("clat: \(failure.description)")
      Foundation.exit(failure.code.rawValue)
    }
    if Clat.exitCode(for: error) == .success { Clat.exit(withError: error) }
    let code = Clat.exitCode(for: error).rawValue
    let named = CommandLine.arguments.dropFirst().first { !$0.hasPrefix("-") }
    let command = Clat.configuration.subcommands.compactMap { $0.configuration.commandName }
      .first { $0 == named }
    let message = Clat.message(for: error).trimmingCharacters(in: ["."])
    Output.note("clat: \(message); see '\(Runner.name) \(command.map { $0 + " " } ?? "")--help'")
    Foundation.exit(code == 1 ? Code.internalError.rawValue : code)
  }

  private static func classify(_ error: any Error) -> Failure? {
    switch error {
    case let error as Failure: error
    case let error as ModelError: Failure(.usage, error.description)
    case let error as DatasetError: Failure(code(error), error.description)
    case let error as StorageError: Failure(code(error), error.description)
    case let error as RecipeError: Failure(.badData, error.description)
    case let error as ProgramFileError: Failure(.badData, error.description)
    case let error as IRError: Failure(.internalError, error.description)
    default: nil
    }
  }

  private static func code(_ error: DatasetError) -> Code {
    switch error {
    case .missing, .unreadable: .missingInput
    case .invalid, .ambiguous: .usage
    case .truncated, .damaged, .oversized, .labelOutOfRange, .empty: .badData
    }
  }

  private static func code(_ error: StorageError) -> Code {
    switch error.kind {
    case .missing: .missingInput
    case .damaged, .invalid: .badData
    case .diskFull: .cannotWrite
    case .occupied: .cannotCreate
    case .system:
      if error.problem.hasPrefix("cannot read") || error.problem == "cannot be listed" {
        .missingInput
      } else if ["write", "append", "sync", "close"].contains(where: {
        error.problem.hasPrefix("cannot \($0)")
      }) {
        .cannotWrite
      } else {
        .cannotCreate
      }
    }
  }
}
