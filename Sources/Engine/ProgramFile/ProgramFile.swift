import Foundation
import IR
import Kernels

/// Compiled programs in a form that a file can hold: they run later, elsewhere, without being
/// compiled again and without LLVM.
///
/// docs/compile.md describes the format.
public struct ProgramFile {
  /// What people may want to know of it, by name.
  public var notes: [String: String]
  public var programs: [(name: String, program: Program)]
  /// What the programs run on; their fused regions are compiled for it.
  public var instructionSet: InstructionSet

  /// The engine's version; a file of another one is refused.
  public static let engineVersion = "0.1.0"
  static let format = 2
  private static let magic = "clat-program"

  /// - Throws: IRError where a fused region cannot be compiled.
  public init(
    _ programs: [(name: String, program: Program)], notes: [String: String] = [:],
    instructionSet: InstructionSet = .best, fusedBackend: FusedBackend = .preferred
  ) throws {
    self.notes = notes
    self.instructionSet = instructionSet
    self.programs = try programs.map {
      ($0.name, try $0.program.withCompiledRegions(instructionSet, fusedBackend))
    }
  }

  /// The program of that name.
  public subscript(name: String) -> Program? { programs.first { $0.name == name }?.program }

  public var data: Data {
    let body = ProgramWriter.bytes(self)
    let header = [
      Self.magic, "\(Self.format)", Self.engineVersion, Self.interface, "\(instructionSet)",
      "\(body.count)", Checksum.hex(body),
    ]
    return Data((header.joined(separator: " ") + "\n").utf8) + body
  }

  /// Reads a file's contents.
  ///
  /// - Parameter threads: that the programs will run on; any number gives the same bits.
  /// - Throws: ProgramFileError with the reason why they are no programs, or not for this machine.
  public init(_ data: Data, threads: Int) throws {
    guard threads > 0 else { throw ProgramFileError("a program needs at least one thread") }
    guard data.starts(with: Data((Self.magic + " ").utf8)) else {
      throw ProgramFileError("not a program file")
    }
    guard let end = data.prefix(200).firstIndex(of: UInt8(ascii: "\n")) else {
      throw ProgramFileError("it ends early")
    }
    let line = String(decoding: data[..<end], as: UTF8.self)
    let fields = line.split(separator: " ", omittingEmptySubsequences: false).map(String.init)
    try Self.checkVersion(fields)
    let body = [UInt8](data[(end + 1)...])
    guard fields[5] == "\(body.count)" else {
      throw ProgramFileError("it has \(body.count) bytes where \(fields[5]) belong")
    }
    guard fields[6] == Checksum.hex(body) else { throw ProgramFileError("its checksum is wrong") }
    guard let set = InstructionSet(rawValue: fields[4]) else {
      throw ProgramFileError("its instruction set '\(fields[4])' is unknown")
    }
    guard set.isSupported else {
      throw ProgramFileError(
        "it is compiled for \(set), which this CPU lacks (it has \(InstructionSet.best))")
    }
    instructionSet = set
    (notes, programs) = try ProgramReader.read(body, threads: threads)
  }

  private static func checkVersion(_ fields: [String]) throws {
    guard fields.count > 1, fields[1] == "\(format)" else {
      throw ProgramFileError("its format is not \(format), which this program reads")
    }
    guard fields.count == 7 else { throw ProgramFileError("its first line is damaged") }
    guard fields[2] == engineVersion else {
      throw ProgramFileError("it is of version \(fields[2]), this is \(engineVersion)")
    }
    guard fields[3] == interface else {
      throw ProgramFileError("it is of another build of version \(engineVersion)")
    }
  }

  /// What the layout of argument structs depends on: the kernels' header and list, and the
  /// architecture.
  static let interface: String = {
    #if arch(x86_64)
      let architecture = "x86_64"
    #elseif arch(arm64)
      let architecture = "arm64"
    #else
      let architecture = "other"
    #endif
    return "\(architecture)-\(Checksum.hex(clat_kernel_interface()))"
  }()
}

extension Program {
  /// With code for the fused regions, where the backend compiles them.
  func withCompiledRegions(_ set: InstructionSet, _ backend: FusedBackend) throws -> Program {
    guard backend == .llvm, set != .reference, MachineCode.isAvailable else { return self }
    var program = self
    for index in instructions.indices where instructions[index].code == nil {
      guard let lanes = instructions[index].lanes else { continue }
      program.instructions[index].code = try FusedCompiler.shared.get().machineCode(lanes, set)
    }
    return program
  }
}

/// FNV-1a of 64 bits: any single changed byte is noticed.
enum Checksum {
  static func value(_ bytes: some Sequence<UInt8>, seed: UInt64 = 0xcbf2_9ce4_8422_2325) -> UInt64 {
    bytes.withContiguousStorageIfAvailable { fold($0, seed) } ?? fold(bytes, seed)
  }

  private static func fold(_ bytes: some Sequence<UInt8>, _ seed: UInt64) -> UInt64 {
    var value = seed
    for byte in bytes { value = (value ^ UInt64(byte)) &* 0x0000_0100_0000_01b3 }
    return value
  }

  static func hex(_ value: UInt64) -> String {
    let digits = String(value, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }

  static func hex(_ bytes: some Sequence<UInt8>) -> String { hex(value(bytes)) }
}
