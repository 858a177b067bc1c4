import IR
import Kernels

/// The static schedule: a flat list of kernel calls on buffers that all have an address, divided
/// among threads.
public struct Program {
  /// Where a buffer lives.
  public enum Placement: Hashable, Sendable {
    /// Bytes from the start of the program's arena.
    case arena(offset: Int)
    /// At `offset` bytes in every thread's own region of the arena: the thread's part of the
    /// buffer, or, `bySlice`, that of the slice which the thread works on.
    case region(offset: Int, bySlice: Bool)
    /// A tensor of the caller's store, by name.
    case external(String)
    /// Numbers known when the program was compiled.
    case constant([Float])
  }

  public struct Buffer: Sendable {
    public var name: String
    public var bytes: Int
    public var placement: Placement
    /// First and last instruction for which the contents matter; nil for what is not in the arena.
    public var lifetime: ClosedRange<Int>?
  }

  public struct Operand: Sendable {
    public var buffer: Int
    public var access: Access
    /// Whether a thread's slice touches only its own part.
    public var sliced: Bool
    /// The graph value in the buffer, where it is only some of its channels.
    public var view: View?
    /// Floats from one pixel to the next.
    public var stride: Int
  }

  /// A value that is some channels of a wider one.
  public struct View: Hashable, Sendable {
    public var name: String
    public var channels: Range<Int>
  }

  /// A part of the arena that is divided among threads: what no thread but its owner touches.
  public struct Regions: Sendable, Equatable {
    /// The number of units, usually images, that threads divide among themselves.
    public var units: Int
    public var threads: Int
    public var bytesPerThread: Int
    /// Where the first thread's region begins in the arena.
    public var start: Int
    /// First and last instruction for which any of the contents matter.
    public var lifetime = 0...0

    public var bytes: Int { threads * bytesPerThread }
  }

  /// One kernel call.
  public struct Instruction {
    public var kernel: String
    public var operands: [Operand]
    public var units: Int
    /// Slice s is units bounds[s] ..< bounds[s + 1].
    public var bounds: [Int64]
    /// All threads meet before this instruction.
    public var barrier: Bool
    /// The graph node it comes from.
    public var origin: String
    /// Operations of the node, a convolution's counted as direct.
    public var flops: Double
    /// Operations that the kernel really executes.
    public var executedFlops: Double
    /// Bytes of all operands, each buffer counted once; of a view, its own channels.
    public var bytes: Double
    /// What an instruction of the kernel `fused` computes.
    var lanes: LaneProgram? = nil
    /// That, compiled; nil where it is compiled, or interpreted, when the program is made ready.
    var code: MachineCode? = nil
    var arguments: KernelArguments
  }

  /// Instructions of which every thread has `rounds` slices. With more than one, a thread runs all of
  /// them for a slice, a micro-batch, before its next.
  public struct Segment: Hashable, Sendable {
    public var instructions: Range<Int>
    public var rounds = 1
  }

  /// Instructions of one stage; `repeats` is the number of attack steps for stage `step`.
  public struct Section: Sendable {
    public var stage: Stage
    public var segments: [Segment]
    public var repeats: Int

    public var instructions: Range<Int> {
      segments.first!.instructions.lowerBound..<segments.last!.instructions.upperBound
    }
  }

  /// An input or output of the program.
  public struct Binding: Sendable {
    public var name: String
    public var type: TensorType
    public var role: InputRole?
    public var buffer: Int
    /// For outputs: the external tensor that holds the new value after the run.
    public var updates: String?
  }

  public var name: String
  public var header: Attributes
  public var threads: Int
  public var buffers: [Buffer]
  public var instructions: [Instruction]
  public var sections: [Section]
  /// Buffers whose contents matter after the last instruction, or in a loop's next iteration.
  var persistent: Set<Int> = []
  public var inputs: [Binding]
  public var outputs: [Binding]
  public var arenaBytes: Int
  public var regions = Regions(units: 0, threads: 0, bytesPerThread: 0, start: 0)
  /// The largest sum of bytes that are live at once: no plan can do with less.
  public var lowerBound: Int

  /// Arena size over its lower bound; 1 is perfect.
  public var memoryRatio: Double {
    lowerBound == 0 ? 1 : Double(arenaBytes) / Double(lowerBound)
  }

  /// Bytes that every thread has for the time of one kernel call.
  public static let scratchBytes = Int(CLAT_SCRATCH_BYTES)

  /// The usual size of micro-batches: with fewer images, deep layers load their filters too often.
  public static let microBatch = 64

  public var segments: [Segment] { sections.flatMap(\.segments) }

  /// Bytes of the external tensors.
  public var externalBytes: Int {
    buffers.reduce(0) { sum, buffer in
      if case .external = buffer.placement { sum + buffer.bytes } else { sum }
    }
  }

  /// Floating-point operations of one run, loop included, a convolution's counted as direct.
  public var flops: Double {
    sections.reduce(0) { sum, section in
      sum + Double(section.repeats) * instructions[section.instructions].reduce(0) { $0 + $1.flops }
    }
  }
}
