import IR

/// Reads what `ProgramWriter` wrote, and checks all of it: what is read is a program that could
/// have been compiled, whose instructions know their operands and whose buffers lie in its memory.
struct ProgramReader {
  private var input: ByteReader
  private var tables: [KernelTable] = []
  private var code: [MachineCode] = []
  private let threads: Int

  /// The notes and programs in the body of a file.
  ///
  /// - Throws: ProgramFileError.
  static func read(_ bytes: [UInt8], threads: Int) throws -> (
    notes: [String: String], programs: [(name: String, program: Program)]
  ) {
    var reader = ProgramReader(input: ByteReader(bytes), threads: threads)
    let notes = try reader.input.list { (try $0.string(), try $0.string()) }
    try reader.readTables()
    reader.code = try reader.input.list {
      try MachineCode(bytes: $0.data(), entry: $0.int("an entry"))
    }
    let count = try reader.input.int("the number of programs", in: 1...64)
    let programs = try (0..<count).map { _ in
      (name: try reader.input.string(), program: try reader.program())
    }
    guard reader.input.isAtEnd else { throw ProgramFileError("something follows its end") }
    return (Dictionary(notes) { first, _ in first }, programs)
  }

  private init(input: ByteReader, threads: Int) {
    self.input = input
    self.threads = threads
  }

  private mutating func readTables() throws {
    tables = []
    let count = try input.int("the number of tables")
    for index in 0..<count {
      let bytes = try input.data()
      let links = try input.list { input in
        KernelTable.Link(
          offset: try ProgramReader.pointer(&input, in: bytes.count),
          table: tables[try input.index("a table", below: index)])
      }
      tables.append(
        KernelTable(byteCount: bytes.count, links: links) {
          UnsafeMutableRawBufferPointer(start: $0, count: bytes.count).copyBytes(from: bytes)
        })
    }
  }

  /// The offset of a pointer within `count` bytes.
  private static func pointer(_ input: inout ByteReader, in count: Int) throws -> Int {
    let offset = try input.int("a pointer's offset")
    guard offset % 8 == 0, offset + 8 <= count else {
      throw ProgramFileError("a pointer's offset is not within its struct")
    }
    return offset
  }

  private mutating func program() throws -> Program {
    var program = Program(
      name: try input.string(), header: try attributes(), threads: threads, buffers: [],
      instructions: [], sections: [], inputs: [], outputs: [],
      arenaBytes: try input.int("the size of the arena"),
      lowerBound: try input.int("the lower bound"))
    program.threads = try input.int("the number of threads", in: 1...1 << 16)
    let persistent = try input.list { try $0.int("a persistent buffer") }
    program.regions = Program.Regions(
      units: try input.int("a number of units", in: 0...Int(Int32.max)), threads: program.threads,
      bytesPerThread: try input.int("bytes by thread", in: 0...1 << 40),
      start: try input.int("the start of the regions"), lifetime: try lifetime())
    program.buffers = try input.list(ProgramReader.buffer)
    let count = try input.int("the number of instructions")
    for _ in 0..<count { program.instructions.append(try instruction(program.buffers)) }
    program.sections = try sections(count)
    program.inputs = try bindings(program.buffers)
    program.outputs = try bindings(program.buffers)
    guard persistent.allSatisfy(program.buffers.indices.contains) else {
      throw ProgramFileError("a persistent buffer does not exist")
    }
    program.persistent = Set(persistent)
    program.partition()
    try check(program)
    if program.threads != threads {
      program.arrange(threads: threads, microBatch: Program.microBatch)
      try check(program)
    }
    return program
  }

  private mutating func attributes() throws -> Attributes {
    let pairs = try input.list { (try $0.string(), try ProgramReader.attribute(&$0)) }
    return pairs.reduce(into: Attributes()) { $0[$1.0] = $1.1 }
  }

  private static func attribute(_ input: inout ByteReader) throws -> Attribute {
    func whole(_ input: inout ByteReader) throws -> Int {
      guard let value = Int(try input.string()) else {
        throw ProgramFileError("an attribute is not a whole number")
      }
      return value
    }
    switch try input.int("an attribute's kind", in: 0...5) {
    case 0: return .bool(try input.bool())
    case 1: return .int(try whole(&input))
    case 2: return .float(try input.double())
    case 3: return .string(try input.string())
    case 4: return .ints(try input.list { try whole(&$0) })
    default: return .floats(try input.list { try $0.double() })
    }
  }

  private mutating func lifetime() throws -> ClosedRange<Int> { try Self.lifetime(&input) }

  private static func lifetime(_ input: inout ByteReader) throws -> ClosedRange<Int> {
    let first = try input.int("a lifetime")
    return first...(try input.int("a lifetime", in: first...max(first, ByteReader.largest)))
  }

  private static func buffer(_ input: inout ByteReader) throws -> Program.Buffer {
    let name = try input.string()
    let bytes = try input.int("the size of \(name)")
    let placement: Program.Placement
    switch try input.int("the place of \(name)", in: 0...3) {
    case 0: placement = .arena(offset: try input.int("the offset of \(name)"))
    case 1:
      placement = .region(
        offset: try input.int("the offset of \(name)"), bySlice: try input.bool())
    case 2: placement = .external(try input.string())
    default:
      let values = try input.list { try $0.float() }
      guard values.count * 4 == bytes else {
        throw ProgramFileError("the constant \(name) has \(values.count) values for \(bytes) bytes")
      }
      placement = .constant(values)
    }
    return Program.Buffer(
      name: name, bytes: bytes, placement: placement, lifetime: try input.optional(lifetime))
  }

  private mutating func instruction(_ buffers: [Program.Buffer]) throws -> Program.Instruction {
    let kernel = try input.string()
    guard InstructionSet.hasKernel(kernel) else {
      throw ProgramFileError("there is no kernel '\(kernel)'")
    }
    let operands = try input.list { try ProgramReader.operand(&$0, buffers, kernel) }
    let units = try input.int("the units of \(kernel)", in: 0...Int(Int32.max))
    let barrier = try input.bool()
    let origin = try input.string()
    let numbers = (try input.double(), try input.double(), try input.double())
    let ownCode = try input.optional { [code] in
      code[try $0.index("compiled code", below: code.count)]
    }
    return Program.Instruction(
      kernel: kernel, operands: operands, units: units, bounds: [], barrier: barrier,
      origin: origin, flops: numbers.0, executedFlops: numbers.1, bytes: numbers.2,
      code: ownCode, arguments: try arguments(operands, buffers))
  }

  private static func operand(
    _ input: inout ByteReader, _ buffers: [Program.Buffer], _ kernel: String
  ) throws -> Program.Operand {
    let buffer = try input.index("a buffer of \(kernel)", below: buffers.count)
    let access = Access.allCases[try input.index("an access", below: Access.allCases.count)]
    let (sliced, stride) = (try input.bool(), try input.int("a stride", in: 0...Int(Int32.max)))
    let view = try input.optional { input in
      let name = try input.string()
      let first = try input.int("a channel", in: 0...stride)
      let end = try input.int("a channel", in: first...stride)
      guard end * 4 <= buffers[buffer].bytes else {
        throw ProgramFileError("\(name) is outside \(buffers[buffer].name)")
      }
      return Program.View(name: name, channels: first..<end)
    }
    return Program.Operand(
      buffer: buffer, access: access, sliced: sliced, view: view, stride: stride)
  }

  private mutating func arguments(
    _ operands: [Program.Operand], _ buffers: [Program.Buffer]
  ) throws -> KernelArguments {
    let bytes = try input.data()
    let known = tables
    let own = try input.list { known[try $0.index("a table", below: known.count)] }
    let links = try input.list { input in
      let offset = try ProgramReader.pointer(&input, in: bytes.count)
      let target: KernelArguments.Target
      let size: Int
      switch try input.int("what a pointer points to", in: 0...2) {
      case 0:
        let index = try input.index("an operand", below: operands.count)
        (target, size) = (.operand(index), buffers[operands[index].buffer].bytes)
      case 1:
        let index = try input.index("a table", below: own.count)
        (target, size) = (.table(index), own[index].byteCount)
      default: (target, size) = (.operandList, operands.count * 8)
      }
      let addend = try input.int("a pointer", in: 0...max(size, 0))
      return KernelArguments.Link(offset: offset, target: target, addend: addend)
    }
    return KernelArguments(bytes: bytes, links: links, tables: own)
  }

  private mutating func sections(_ instructions: Int) throws -> [Program.Section] {
    try input.list { input in
      let stage = Stage.allCases[try input.index("a stage", below: Stage.allCases.count)]
      let repeats = try input.int("repeats", in: 1...1_000_000_000)
      let segments = try input.list { try ProgramReader.segment(&$0, instructions) }
      guard !segments.isEmpty,
        zip(segments, segments.dropFirst()).allSatisfy({
          $0.instructions.upperBound == $1.instructions.lowerBound
        })
      else { throw ProgramFileError("the segments of a section do not follow one another") }
      return Program.Section(stage: stage, segments: segments, repeats: repeats)
    }
  }

  private static func segment(
    _ input: inout ByteReader, _ instructions: Int
  ) throws -> Program.Segment {
    let first = try input.int("a segment's start", in: 0...instructions)
    let end = try input.int("a segment's end", in: first...instructions)
    return Program.Segment(
      instructions: first..<end, rounds: try input.int("rounds", in: 1...1 << 16))
  }

  private mutating func bindings(_ buffers: [Program.Buffer]) throws -> [Program.Binding] {
    try input.list { input in
      let name = try input.string()
      let dtype = DType.allCases[try input.index("an element type", below: DType.allCases.count)]
      let type = TensorType(dtype, try input.list { try $0.int("an extent") })
      do { try type.check() } catch { throw ProgramFileError("\(name): \(error)") }
      let role = try input.optional {
        InputRole.allCases[try $0.index("a role", below: InputRole.allCases.count)]
      }
      let buffer = try input.index("the buffer of \(name)", below: buffers.count)
      return Program.Binding(
        name: name, type: type, role: role, buffer: buffer,
        updates: try input.optional { try $0.string() })
    }
  }

  /// What holds for a whole program.
  private func check(_ program: Program) throws {
    let usesRegions = program.buffers.contains {
      if case .region = $0.placement { true } else { false }
    }
    guard !usesRegions || program.regions.units > 0 else {
      throw ProgramFileError("its threads have no regions")
    }
    for buffer in Set(program.instructions.flatMap(\.operands).map(\.buffer)) {
      switch program.buffers[buffer].placement {
      case .external, .constant: continue
      case .arena, .region:
        guard program.buffers[buffer].lifetime != nil else {
          throw ProgramFileError("\(program.buffers[buffer].name) has no lifetime")
        }
      }
    }
    for buffer in program.buffers {
      guard case .external(let name) = buffer.placement else { continue }
      guard let input = program.inputs.first(where: { $0.name == name }),
        input.type.dtype != .packed, buffer.bytes <= input.type.byteCount
      else { throw ProgramFileError("the input '\(name)' is missing or too small") }
    }
    for output in program.outputs where output.type.dtype != .packed {
      guard output.type.byteCount <= program.buffers[output.buffer].bytes else {
        throw ProgramFileError("the output '\(output.name)' is larger than its buffer")
      }
    }
    do { try program.verify() } catch { throw ProgramFileError("\(error)") }
  }
}
