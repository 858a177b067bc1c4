import IR

/// The static schedule: a flat list of kernel calls on buffers that all have an address, divided
/// among threads.
public struct Program {
  /// Where a buffer lives.
  public enum Placement: Hashable, Sendable {
    /// Bytes from the start of the program's arena.
    case arena(offset: Int)
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
  }

  /// One kernel call.
  public struct Instruction {
    public var kernel: String
    public var operands: [Operand]
    public var units: Int
    /// Thread t owns units bounds[t] ..< bounds[t + 1].
    public var bounds: [Int64]
    /// All threads meet before this instruction.
    public var barrier: Bool
    /// The graph node it comes from.
    public var origin: String
    public var flops: Double
    /// Bytes of all operands, each counted once.
    public var bytes: Double
    /// What an instruction of the kernel `fused` computes.
    var lanes: LaneProgram?
    var arguments: (Addresses) -> ArgumentBlock
  }

  /// Instructions of one stage; `repeats` is the number of attack steps for stage `step`.
  public struct Section: Sendable {
    public var stage: Stage
    public var instructions: Range<Int>
    public var repeats: Int
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
  public var inputs: [Binding]
  public var outputs: [Binding]
  public var arenaBytes: Int
  /// The largest sum of bytes that are live at once: no plan can do with less.
  public var lowerBound: Int

  /// Arena size over its lower bound; 1 is perfect.
  public var memoryRatio: Double {
    lowerBound == 0 ? 1 : Double(arenaBytes) / Double(lowerBound)
  }

  /// Bytes of the external tensors.
  public var externalBytes: Int {
    buffers.reduce(0) { sum, buffer in
      if case .external = buffer.placement { sum + buffer.bytes } else { sum }
    }
  }

  /// Floating-point operations of one run, loop included.
  public var flops: Double {
    sections.reduce(0) { sum, section in
      sum + Double(section.repeats) * instructions[section.instructions].reduce(0) { $0 + $1.flops }
    }
  }
}
