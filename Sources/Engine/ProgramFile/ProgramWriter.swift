import IR

/// Writes programs as `ProgramReader` reads them. Tables and compiled code that several
/// instructions share are written once, before the programs.
struct ProgramWriter {
  private(set) var out = ByteWriter()
  private var tables: [KernelTable] = []
  private var tableIndex: [ObjectIdentifier: Int] = [:]
  private var code: [MachineCode] = []
  private var codeIndex: [ObjectIdentifier: Int] = [:]

  static func bytes(_ file: ProgramFile) -> [UInt8] {
    var writer = ProgramWriter()
    for instruction in file.programs.flatMap(\.program.instructions) {
      instruction.arguments.tables.forEach { writer.add($0) }
      if let code = instruction.code { writer.add(code) }
    }
    writer.out.write(file.notes.keys.sorted()) { out, name in
      out.write(name)
      out.write(file.notes[name] ?? "")
    }
    writer.writeTables()
    writer.out.write(writer.code) { out, code in
      out.write(code.bytes)
      out.write(code.entry)
    }
    writer.out.write(file.programs.count)
    for (name, program) in file.programs {
      writer.out.write(name)
      writer.write(program)
    }
    return writer.out.bytes
  }

  /// What a table points to comes before it.
  private mutating func add(_ table: KernelTable) {
    guard tableIndex[ObjectIdentifier(table)] == nil else { return }
    table.links.forEach { add($0.table) }
    tableIndex[ObjectIdentifier(table)] = tables.count
    tables.append(table)
  }

  private mutating func add(_ item: MachineCode) {
    guard codeIndex[ObjectIdentifier(item)] == nil else { return }
    codeIndex[ObjectIdentifier(item)] = code.count
    code.append(item)
  }

  private mutating func writeTables() {
    out.write(tables) { out, table in
      out.write(table.bytes)
      out.write(table.links) { out, link in
        out.write(link.offset)
        out.write(tableIndex[ObjectIdentifier(link.table)]!)
      }
    }
  }

  private mutating func write(_ program: Program) {
    out.write(program.name)
    out.write(program.header.names) { out, name in
      out.write(name)
      ProgramWriter.write(program.header[name]!, to: &out)
    }
    out.write(program.arenaBytes)
    out.write(program.lowerBound)
    out.write(program.threads)
    out.write(program.persistent.sorted()) { $0.write($1) }
    out.write(program.regions.units)
    out.write(program.regions.bytesPerThread)
    out.write(program.regions.start)
    ProgramWriter.write(program.regions.lifetime, to: &out)
    out.write(program.buffers, ProgramWriter.write)
    out.write(program.instructions.count)
    for instruction in program.instructions { write(instruction) }
    out.write(program.sections) { out, section in
      out.write(section.stage.rawValue)
      out.write(section.repeats)
      out.write(section.segments) { out, segment in
        out.write(segment.instructions.lowerBound)
        out.write(segment.instructions.upperBound)
        out.write(segment.rounds)
      }
    }
    out.write(program.inputs, ProgramWriter.write)
    out.write(program.outputs, ProgramWriter.write)
  }

  private static func write(_ attribute: Attribute, to out: inout ByteWriter) {
    switch attribute {
    case .bool(let value): out.write(0); out.write(value)
    case .int(let value): out.write(1); out.write("\(value)")
    case .float(let value): out.write(2); out.write(value)
    case .string(let value): out.write(3); out.write(value)
    case .ints(let values): out.write(4); out.write(values) { $0.write("\($1)") }
    case .floats(let values): out.write(5); out.write(values) { $0.write($1) }
    case .region: out.write(3); out.write(attribute.description)
    }
  }

  private static func write(_ range: ClosedRange<Int>, to out: inout ByteWriter) {
    out.write(range.lowerBound)
    out.write(range.upperBound)
  }

  private static func write(_ out: inout ByteWriter, _ buffer: Program.Buffer) {
    out.write(buffer.name)
    out.write(buffer.bytes)
    switch buffer.placement {
    case .arena(let offset): out.write(0); out.write(offset)
    case .region(let offset, let bySlice): out.write(1); out.write(offset); out.write(bySlice)
    case .external(let name): out.write(2); out.write(name)
    case .constant(let values): out.write(3); out.write(values) { $0.write($1) }
    }
    out.write(buffer.lifetime) { write($1, to: &$0) }
  }

  private mutating func write(_ instruction: Program.Instruction) {
    out.write(instruction.kernel)
    out.write(instruction.operands, ProgramWriter.write)
    out.write(instruction.units)
    out.write(instruction.barrier)
    out.write(instruction.origin)
    out.write(instruction.flops)
    out.write(instruction.executedFlops)
    out.write(instruction.bytes)
    out.write(instruction.code.map { codeIndex[ObjectIdentifier($0)]! }) { $0.write($1) }
    out.write(instruction.arguments.bytes)
    out.write(instruction.arguments.tables.map { tableIndex[ObjectIdentifier($0)]! }) {
      $0.write($1)
    }
    out.write(instruction.arguments.links) { out, link in
      out.write(link.offset)
      switch link.target {
      case .operand(let index): out.write(0); out.write(index)
      case .table(let index): out.write(1); out.write(index)
      case .operandList: out.write(2)
      }
      out.write(link.addend)
    }
  }

  private static func write(_ out: inout ByteWriter, _ operand: Program.Operand) {
    out.write(operand.buffer)
    out.write(Access.allCases.firstIndex(of: operand.access)!)
    out.write(operand.sliced)
    out.write(operand.stride)
    out.write(operand.view) { out, view in
      out.write(view.name)
      out.write(view.channels.lowerBound)
      out.write(view.channels.upperBound)
    }
  }

  private static func write(_ out: inout ByteWriter, _ binding: Program.Binding) {
    out.write(binding.name)
    out.write(DType.allCases.firstIndex(of: binding.type.dtype)!)
    out.write(binding.type.shape) { $0.write($1) }
    out.write(binding.role) { $0.write(InputRole.allCases.firstIndex(of: $1)!) }
    out.write(binding.buffer)
    out.write(binding.updates) { $0.write($1) }
  }
}
