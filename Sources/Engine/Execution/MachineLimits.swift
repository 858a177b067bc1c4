import Foundation
import IR
import Kernels

/// What this machine can do at most, as rooflines need it (Williams et al. 2009).
public struct MachineLimits: Sendable {
  /// Multiply-adds in registers, on all threads together; a multiply-add counts as two.
  public var flopsPerSecond: Double
  /// STREAM's triad on arrays that no cache holds, 12 bytes an element. Data that is still in a
  /// cache can come faster.
  public var bytesPerSecond: Double

  public init(flopsPerSecond: Double, bytesPerSecond: Double) {
    self.flopsPerSecond = flopsPerSecond
    self.bytesPerSecond = bytesPerSecond
  }

  /// The least time in seconds for so many operations and so many bytes of memory traffic.
  public func seconds(flops: Double, bytes: Double) -> Double {
    max(flops / flopsPerSecond, bytes / bytesPerSecond)
  }

  /// Measures both in about a fifth of a second, on the threads that programs run on; the best of
  /// several repetitions.
  ///
  /// - Throws: IRError where the instruction set is not supported.
  public static func measure(
    threads: Int, instructionSet: InstructionSet = .best
  ) throws -> MachineLimits {
    guard instructionSet.isSupported else {
      throw IRError("this machine has no \(instructionSet)")
    }
    return MachineLimits(
      flopsPerSecond: arithmetic(threads, instructionSet),
      bytesPerSecond: bandwidth(threads, instructionSet))
  }

  private static func arithmetic(_ threads: Int, _ instructionSet: InstructionSet) -> Double {
    let chains = Int(CLAT_CHAINS)
    let rounds = 50_000
    let values = UnsafeMutablePointer<Float>.allocate(capacity: threads * chains)
    defer { values.deallocate() }
    values.initialize(repeating: 1, count: threads * chains)
    let arguments = ArgumentBlock(
      clat_multiply_add_args(rounds: Int64(rounds), factor: 0.75, addend: 0.5, y: values))
    let seconds = best(of: 7, "multiply_add", arguments, units: threads, threads, instructionSet)
    return Double(2 * threads * chains * rounds) / seconds
  }

  private static func bandwidth(_ threads: Int, _ instructionSet: InstructionSet) -> Double {
    let (units, floats) = (16 * 1024, 1024)
    let arrays = UnsafeMutablePointer<Float>.allocate(capacity: 3 * units * floats)
    defer { arrays.deallocate() }
    arrays.initialize(repeating: 1, count: 3 * units * floats)
    let arguments = ArgumentBlock(
      clat_triad_args(
        floats: Int64(floats), x: arrays, z: arrays + units * floats,
        y: arrays + 2 * units * floats))
    let seconds = best(of: 5, "triad", arguments, units: units, threads, instructionSet)
    return Double(12 * units * floats) / seconds
  }

  /// The shortest of several runs, after one that is not counted.
  private static func best(
    of repetitions: Int, _ kernel: String, _ arguments: ArgumentBlock, units: Int, _ threads: Int,
    _ instructionSet: InstructionSet
  ) -> Double {
    guard let kernel = clat_kernel_find(kernel, instructionSet.isa) else { return .infinity }
    let times = (0...repetitions).map { _ in
      ContinuousClock().measure {
        Team.run(kernel, arguments, units: units, threads: threads)
      } / .seconds(1)
    }
    return times.dropFirst().min() ?? .infinity
  }
}
