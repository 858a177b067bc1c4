import Foundation
import IR
import TestSupport
import Testing

@testable import Engine

/// Programs written to files and read back.
@Suite struct ProgramFileTests {
  /// What a program leaves in its outputs.
  private func outputs(
    _ program: Program, _ store: TensorStore, _ set: InstructionSet = .best
  ) throws -> [String: [UInt8]] {
    let executable = try Executable(program, store: store, instructionSet: set)
    executable.run()
    var results: [String: [UInt8]] = [:]
    for output in program.outputs where output.type.dtype != .packed {
      results[output.name] = Array(try executable.output(output.name).bytes)
    }
    return results
  }

  /// Compares a program with what comes back from a file, on the same and another number of threads.
  private func expectSameBits(
    _ graph: Graph, _ set: InstructionSet = .best, store: () throws -> TensorStore
  ) throws {
    let program = try Compiler.compile(graph, options: .init(threads: 2)).program
    let file = try ProgramFile([("only", program)], notes: ["a": "b"], instructionSet: set)
    let read = try ProgramFile(file.data, threads: 2)
    #expect(read.notes == ["a": "b"] && read.instructionSet == set)
    #expect(read.data == file.data)
    let copy = try #require(read["only"])
    #expect(copy.text == program.text)
    #expect(copy.memoryText == program.memoryText)
    let other = try #require(ProgramFile(file.data, threads: 3)["only"])
    let expected = try outputs(program, store(), set)
    #expect(try outputs(copy, store(), set) == expected, "\(graph.name)")
    #expect(try outputs(other, store(), set) == expected, "\(graph.name)")
  }

  /// A kernel that gets an address from anywhere but its operands and tables would fail here.
  @Test(arguments: OperationTests.executable) func everyOperationComesBack(_ name: String) throws {
    let definition = try OpRegistry.definition(name)
    for sample in definition.samples {
      let graph = try Graph(of: definition, sample)
      let inputs = randomInputs(sample, seed: 7)
      for set in FusedTests.sets { try expectSameBits(graph, set) { try store(graph, inputs) } }
    }
  }

  @Test(arguments: [
    "small-cnn", "resnet20:width=4", "preact-resnet18:width=4", "wrn-10-1", "densenet121",
  ])
  func attacksComeBack(_ model: String) throws {
    let attack = try SmallAttack(model, steps: 2)
    try expectSameBits(attack.graph) { try attack.store() }
  }

  @Test func compilingTwiceGivesTheSameBytes() throws {
    let graph = try SmallAttack("small-cnn").graph
    func file(_ threads: Int) throws -> ProgramFile {
      let program = try Compiler.compile(graph, options: .init(threads: threads)).program
      return try ProgramFile([("attack", program)])
    }
    #expect(try file(2).data == file(2).data)
    let planned = try #require(ProgramFile(file(1).data, threads: 2)["attack"])
    #expect(try planned.text == file(2)["attack"]?.text, "planned again for other threads")
  }

  private func small() throws -> ProgramFile {
    let definition = try OpRegistry.definition("conv2d_input_grad")
    let graph = try Graph(of: definition, definition.samples[0])
    let region = try RandomRegion.graph(seed: 3)
    return try ProgramFile(
      [graph, region].map {
        ($0.name, try Compiler.compile($0, options: .init(threads: 1)).program)
      },
      notes: ["model": "none"])
  }

  @Test func everyDamageIsRefused() throws {
    let data = try small().data
    _ = try ProgramFile(data, threads: 1)
    for count in 0..<data.count {
      #expect(throws: ProgramFileError.self) { try ProgramFile(data.prefix(count), threads: 1) }
    }
    for index in data.indices {
      var damaged = data
      damaged[index] ^= 0x10
      #expect(throws: ProgramFileError.self, "byte \(index)") {
        try ProgramFile(damaged, threads: 1)
      }
    }
  }

  /// Behind a checksum that fits, anything may stand: it is refused, or a program whose memory and
  /// instructions are in order.
  @Test func whatIsReadIsChecked() throws {
    let body = ProgramWriter.bytes(try small())
    var refused = 0
    for index in body.indices {
      for bits: UInt8 in [0x01, 0x40, 0xff] {
        var changed = body
        changed[index] ^= bits
        do {
          for (_, program) in try ProgramReader.read(changed, threads: 2).programs {
            try program.verify()
          }
        } catch is ProgramFileError { refused += 1 }
      }
    }
    #expect(refused > body.count / 4)
    for count in 0..<body.count {
      #expect(throws: ProgramFileError.self) {
        try ProgramReader.read(Array(body.prefix(count)), threads: 2)
      }
    }
  }

  @Test(arguments: [
    (0, "clat-weights", "not a program file"), (1, "1", "format"), (2, "0.0.9", "version 0.0.9"),
    (3, "x86_64-0", "another build"), (4, "neon", "'neon' is unknown"), (5, "77", "77"),
    (6, "0123456789abcdef", "checksum"),
  ])
  func namesTheReason(_ field: Int, _ value: String, _ reason: String) throws {
    let data = try small().data
    let end = try #require(data.firstIndex(of: UInt8(ascii: "\n")))
    var fields = String(decoding: data[..<end], as: UTF8.self).split(separator: " ")
      .map(String.init)
    fields[field] = value
    let changed = Data(fields.joined(separator: " ").utf8) + data[end...]
    let error = #expect(throws: ProgramFileError.self) { try ProgramFile(changed, threads: 1) }
    #expect(error?.description.contains(reason) == true, "\(error?.description ?? "")")
  }

  @Test func otherCPUs() throws {
    guard let missing = InstructionSet.allCases.first(where: { !$0.isSupported }) else {
      print("program files for other CPUs: not executed, this one has every instruction set")
      return
    }
    let data = try ProgramFile([], instructionSet: missing).data
    let error = #expect(throws: ProgramFileError.self) { try ProgramFile(data, threads: 1) }
    #expect(error?.description.contains("lacks") == true)
  }

  /// Code that refers to what is not there is not linked.
  @Test func foreignObjectFiles() throws {
    for bytes in [Data(), Data("\u{7f}ELF".utf8), Data(repeating: 0xff, count: 4096)] {
      #expect(throws: IRError.self) { try MachineCode(object: bytes, function: "f") }
    }
  }
}
