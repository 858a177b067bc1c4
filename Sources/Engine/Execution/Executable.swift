import Foundation
import IR
import Kernels

/// A program with its memory: ready to run, as often as wanted, without allocating.
///
/// Programs of one store run one at a time and share memory, so that an output is to be read before
/// another of them runs.
public final class Executable {
  public let program: Program
  public let instructionSet: InstructionSet
  /// What executes the program's fused regions.
  public let fusedBackend: FusedBackend
  private let store: TensorStore
  private let arena: UnsafeMutableRawPointer
  private let scratchOfThread: [UnsafeMutableRawPointer?]
  private var arguments: [ArgumentBlock] = []
  private var constants: [UnsafeMutablePointer<Float>] = []
  private let code: UnsafeMutablePointer<clat_instruction>
  private let segments: UnsafeMutablePointer<clat_segment>
  /// By instruction, where its slices begin and end.
  private let bounds: UnsafeMutablePointer<Int64>
  /// By instruction and slice.
  private let slices: UnsafeMutablePointer<UnsafeRawPointer?>
  private var weightsVersion: Int?
  private var nanoseconds: [UInt64]?

  /// Makes room in the arena and links every instruction to its kernel and addresses.
  ///
  /// - Parameters:
  ///   - store: holds, or is given, every external tensor of the program.
  ///   - fusedBackend: what executes fused regions.
  /// - Throws: IRError where a tensor of the store has another type than the program needs, or
  ///   there is no memory.
  public init(
    _ program: Program, store: TensorStore, instructionSet: InstructionSet = .best,
    fusedBackend: FusedBackend = .preferred
  ) throws {
    self.program = program
    self.store = store
    self.instructionSet = instructionSet
    self.fusedBackend = fusedBackend
    arena = try store.workspace.arena.provide(program.arenaBytes)
    let scratch = try store.workspace.scratch.provide(program.threads * Program.scratchBytes)
    scratchOfThread = (0..<program.threads).map { scratch + $0 * Program.scratchBytes }
    code = .allocate(capacity: max(program.instructions.count, 1))
    segments = .allocate(capacity: max(program.segments.count, 1))
    let slots = program.instructions.reduce(1) { $0 + $1.bounds.count }
    bounds = .allocate(capacity: slots)
    slices = .allocate(capacity: slots)
    try link()
  }

  deinit {
    constants.forEach { $0.deallocate() }
    code.deallocate()
    segments.deallocate()
    bounds.deallocate()
    slices.deallocate()
  }

  private func link() throws {
    let addresses = try program.buffers.map(address)
    var (ownBounds, ownSlices) = (bounds, slices)
    for (index, instruction) in program.instructions.enumerated() {
      let kernel =
        try instruction.code?.function()
        ?? instructionSet.kernel(instruction.kernel, instruction.lanes, fusedBackend)
      for (slice, bound) in instruction.bounds.enumerated() { ownBounds[slice] = bound }
      for slice in 0..<instruction.bounds.count - 1 {
        ownSlices[slice] = argumentBlock(instruction, addresses, slice: slice)
      }
      (code + index).initialize(
        to: clat_instruction(
          kernel: kernel, args: ownSlices, bounds: ownBounds,
          barrier: instruction.barrier ? 1 : 0))
      ownBounds += instruction.bounds.count
      ownSlices += instruction.bounds.count
    }
    for (index, segment) in program.segments.enumerated() {
      (segments + index).initialize(
        to: clat_segment(
          instructions: code + segment.instructions.lowerBound,
          count: Int64(segment.instructions.count), rounds: Int32(segment.rounds)))
    }
  }

  /// What the kernel is given for a slice: slices share it unless an operand is in a region.
  private func argumentBlock(
    _ instruction: Program.Instruction, _ addresses: [UnsafeMutableRawPointer], slice: Int
  ) -> UnsafeRawPointer {
    let shifts = instruction.operands.map {
      program.regionShift($0.buffer, instruction, slice: slice)
    }
    if slice > 0, shifts.allSatisfy({ $0 == nil }), let shared = arguments.last {
      return UnsafeRawPointer(shared.pointer)
    }
    let pointers = zip(instruction.operands, shifts).map { operand, shift in
      addresses[operand.buffer] + (shift ?? 0) + 4 * (operand.view?.channels.lowerBound ?? 0)
    }
    let block = ArgumentBlock(instruction.arguments, pointers)
    arguments.append(block)
    return UnsafeRawPointer(block.pointer)
  }

  private func address(_ buffer: Program.Buffer) throws -> UnsafeMutableRawPointer {
    switch buffer.placement {
    case .arena(let offset): return arena + offset
    case .region: return arena
    case .constant(let values):
      let copy = UnsafeMutablePointer<Float>.allocate(capacity: max(values.count, 1))
      copy.initialize(from: values, count: values.count)
      constants.append(copy)
      return UnsafeMutableRawPointer(copy)
    case .external(let name):
      guard let binding = program.inputs.first(where: { $0.name == name }) else {
        throw IRError("program \(program.name) has no input '\(name)'")
      }
      return try store.tensor(name, binding.type).pointer
    }
  }

  /// Runs the program once, all sections in one parallel region; the section `weights` only where
  /// others have changed parameters, or another program of the store has run, since the last time.
  public func run() {
    let isReady = weightsVersion == store.weightsVersion && store.workspace.owner === self
    var (wanted, sections): ([Program.Section], [clat_section]) = ([], [])
    var first = UnsafePointer(segments)
    for section in program.sections {
      if !section.instructions.isEmpty && (section.stage != .weights || !isReady) {
        wanted.append(section)
        sections.append(
          clat_section(
            segments: first, count: Int64(section.segments.count), repeat: Int64(section.repeats)))
      }
      first += section.segments.count
    }
    store.workspace.owner = self
    withProfile(wanted) { times in
      clat_team_run(sections, Int32(sections.count), Int32(program.threads), scratchOfThread, times)
    }
    if program.outputs.contains(where: { $0.updates != nil }) { store.weightsChanged() }
    // What the program itself has updated, its section `weights` does not read.
    weightsVersion = store.weightsVersion
  }

  /// The bytes of an output after a run; valid until the next, of this or another program of the
  /// store.
  ///
  /// - Throws: IRError where the program has no such output.
  public func output(_ name: String) throws -> (type: TensorType, bytes: UnsafeRawBufferPointer) {
    guard let output = program.outputs.first(where: { $0.name == name }) else {
      let known = program.outputs.map(\.name).joined(separator: ", ")
      throw IRError("program \(program.name) has no output '\(name)'; outputs: \(known)")
    }
    let start = try address(program.buffers[output.buffer])
    return (output.type, UnsafeRawBufferPointer(start: start, count: output.type.byteCount))
  }

  /// An f32 output as an array.
  public func floats(_ name: String) throws -> [Float] {
    Array(try output(name).bytes.bindMemory(to: Float.self))
  }

  /// An i32 output as an array.
  public func integers(_ name: String) throws -> [Int32] {
    Array(try output(name).bytes.bindMemory(to: Int32.self))
  }

  /// Copies an output into a tensor of the store, for another program to read.
  public func copyOutput(_ name: String, to tensor: String) throws {
    let (type, bytes) = try output(name)
    let target = try store.tensor(tensor, type)
    target.pointer.copyMemory(from: bytes.baseAddress!, byteCount: bytes.count)
  }

  // MARK: - Profile

  /// Whether runs add up the time of every instruction.
  public var isProfiling: Bool {
    get { nanoseconds != nil }
    set {
      nanoseconds =
        newValue
        ? [UInt64](repeating: 0, count: program.threads * program.instructions.count) : nil
    }
  }

  /// Nanoseconds by instruction since profiling began, the largest among threads.
  public var profile: [UInt64] {
    guard let nanoseconds else { return [] }
    let count = program.instructions.count
    return (0..<count).map { index in
      (0..<program.threads).map { nanoseconds[$0 * count + index] }.max() ?? 0
    }
  }

  /// The team numbers instructions through the sections it is given; this maps its times to the
  /// program's instructions.
  private func withProfile(
    _ wanted: [Program.Section], _ body: (UnsafeMutablePointer<UInt64>?) -> Void
  ) {
    guard nanoseconds != nil else { return body(nil) }
    let indices = wanted.flatMap { Array($0.instructions) }
    var times = [UInt64](repeating: 0, count: program.threads * indices.count)
    times.withUnsafeMutableBufferPointer { body($0.baseAddress) }
    for thread in 0..<program.threads {
      for (position, index) in indices.enumerated() {
        nanoseconds![thread * program.instructions.count + index] +=
          times[thread * indices.count + position]
      }
    }
  }
}
