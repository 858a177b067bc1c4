import Adversarial
import Engine
import Foundation

/// What a program file was compiled from: the options of `clat compile`, kept as its notes.
struct CompiledSource {
  var target: CompileCommand.Target
  var network: StandaloneModelOptions
  var attacking: AttackOptions

  /// The programs of an evaluation with the names that they have in a file.
  static func keys(_ attack: Attack?) -> [(name: String, key: ProgramKey)] {
    let attacked = attack.map { attack -> [(String, ProgramKey)] in
      [
        ("attack", .attack(attack, .crossEntropy)),
        ("forward-adversarial", .evaluation(images: "x_adv")),
      ]
    }
    return [("forward", .evaluation())] + (attacked ?? [])
  }

  var notes: [String: String] {
    [
      "program": target.rawValue, "network": network.arguments.joined(separator: "\n"),
      "attack": attacking.arguments.joined(separator: "\n"),
    ]
  }

  /// - Parameter restarts: of the attack.
  /// - Throws: Failure (65) where the notes are not of `clat compile`.
  init(_ file: ProgramFile, named path: String, restarts: Int) throws {
    func arguments(_ name: String) -> [String] {
      file.notes[name]?.split(separator: "\n").map(String.init) ?? []
    }
    do {
      guard let target = file.notes["program"].flatMap(CompileCommand.Target.init(rawValue:)) else {
        throw Failure.badData("no program is named")
      }
      self.target = target
      network = try .parse(arguments("network"))
      attacking = try .parse(arguments("attack") + ["--restarts", "\(restarts)"])
    } catch {
      throw Failure.badData("\(path): its notes are not those of 'clat compile'")
    }
  }

  init(target: CompileCommand.Target, network: StandaloneModelOptions, attacking: AttackOptions) {
    (self.target, self.network, self.attacking) = (target, network, attacking)
  }
}

extension ProgramFile {
  /// Reads a file.
  ///
  /// - Throws: Failure where it is missing, damaged, or not for this machine.
  static func read(_ path: String, threads: Int) throws -> ProgramFile {
    guard let data = FileManager.default.contents(atPath: path) else {
      throw Failure(.missingInput, "\(path): cannot be read, expected a file of 'clat compile'")
    }
    do {
      return try ProgramFile(data, threads: threads)
    } catch let error as ProgramFileError {
      throw Failure.badData("\(path): \(error)")
    }
  }
}
