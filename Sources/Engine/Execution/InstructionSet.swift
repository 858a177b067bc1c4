import IR
import Kernels

/// An instruction set that the kernels are written for.
public enum InstructionSet: String, Sendable, CaseIterable, CustomStringConvertible {
  /// Plain C, slow: the kernels' twins for tests.
  case reference
  /// 128-bit vectors of the compiler's own, on any CPU.
  case portable
  case avx2
  case avx512

  var isa: clat_isa {
    switch self {
    case .reference: CLAT_ISA_REFERENCE
    case .portable: CLAT_ISA_PORTABLE
    case .avx2: CLAT_ISA_AVX2
    case .avx512: CLAT_ISA_AVX512
    }
  }

  /// Whether this CPU and operating system can run it.
  public var isSupported: Bool { clat_isa_supported(isa) != 0 }

  /// The fastest that is supported.
  public static var best: InstructionSet {
    let best = clat_isa_best()
    return allCases.first { $0.isa == best } ?? .portable
  }

  public var description: String { rawValue }
}

/// The threads that programs run on.
public enum Team {
  /// CPUs that this process may use: its affinity mask, limited by the cgroup's quota.
  public static var availableThreads: Int { max(1, Int(clat_team_available_cpus())) }

  /// Pins worker threads to CPUs of the process's affinity mask; unpinned ones have been seen
  /// sharing a core.
  public static func pin(threads: Int) throws {
    let status = clat_team_pin(Int32(threads))
    guard status == 0 else { throw IRError("cannot pin \(threads) threads: errno \(status)") }
  }
}

/// A kernel of the library.
typealias KernelFunction =
  @convention(c) (UnsafeRawPointer?, Int64, Int64, UnsafeMutableRawPointer?) -> Void

extension Team {
  /// Runs one kernel over its units in a parallel region of its own.
  static func run(
    _ kernel: KernelFunction, _ arguments: ArgumentBlock, units: Int, threads: Int,
    scratch: [UnsafeMutableRawPointer?]? = nil
  ) {
    let shared = [UnsafeRawPointer?](repeating: .init(arguments.pointer), count: threads)
    let bounds = (0...threads).map { Int64(units * $0 / threads) }
    shared.withUnsafeBufferPointer { shared in
      bounds.withUnsafeBufferPointer { bounds in
        var instruction = clat_instruction(
          kernel: kernel, args: shared.baseAddress, bounds: bounds.baseAddress, barrier: 0)
        withUnsafePointer(to: &instruction) { pointer in
          var segment = clat_segment(instructions: pointer, count: 1, rounds: 1)
          withUnsafePointer(to: &segment) { segment in
            var section = clat_section(segments: segment, count: 1, repeat: 1)
            clat_team_run(&section, 1, Int32(threads), scratch, nil)
          }
        }
      }
    }
    withExtendedLifetime(arguments) {}
  }
}
