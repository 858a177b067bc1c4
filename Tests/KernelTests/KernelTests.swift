import Foundation
import Kernels
import Testing

@Suite("Kernel library")
struct KernelTests {
  private let supported = [
    CLAT_ISA_REFERENCE, CLAT_ISA_PORTABLE, CLAT_ISA_AVX2, CLAT_ISA_AVX512,
  ].filter { clat_isa_supported($0) != 0 }

  @Test("Every row is found by its name for every instruction set of this machine")
  func rowsAreFound() throws {
    #expect(clat_kernel_count() > 30)
    #expect(supported.contains(clat_isa_best()))
    for index in 0..<clat_kernel_count() {
      let name = try #require(clat_kernel_name(index))
      for isa in supported {
        let missing = "\(String(cString: name)) has no \(String(cString: clat_isa_name(isa)))"
        #expect(clat_kernel_find(name, isa) != nil, "\(missing)")
      }
    }
  }

  @Test("Unknown names, indices and instruction sets give nothing")
  func unknownRows() {
    #expect(clat_kernel_find("no_such_kernel", CLAT_ISA_PORTABLE) == nil)
    #expect(clat_kernel_find("affine", CLAT_ISA_COUNT) == nil)
    #expect(clat_kernel_name(-1) == nil)
    #expect(clat_kernel_name(clat_kernel_count()) == nil)
    #expect(clat_isa_supported(CLAT_ISA_COUNT) == 0)
  }

  @Test("A section of two threads adds two tensors as often as it is repeated", arguments: 1...3)
  func teamRuns(repeats: Int) throws {
    let count = 3000
    let a = (0..<count).map(Float.init)
    for isa in supported {
      var y = [Float](repeating: 1, count: count)
      try a.withUnsafeBufferPointer { a in
        try y.withUnsafeMutableBufferPointer { y in
          try accumulate(a, into: y, repeats: repeats, isa: isa)
        }
      }
      #expect(y == a.map { 1 + Float(repeats) * $0 })
    }
  }

  /// y += a, `repeats` times, by the kernel `axpby` on two threads.
  private func accumulate(
    _ a: UnsafeBufferPointer<Float>, into y: UnsafeMutableBufferPointer<Float>, repeats: Int,
    isa: clat_isa
  ) throws {
    let kernel = try #require(clat_kernel_find("axpby", isa))
    var args = clat_axpby_args(
      count: Int64(a.count), a_scale: 1, b_scale: 1, a: a.baseAddress,
      b: UnsafePointer(y.baseAddress), y: y.baseAddress)
    var scratch: [UnsafeMutableRawPointer?] = (0..<2).map { _ in
      UnsafeMutableRawPointer.allocate(byteCount: Int(CLAT_SCRATCH_BYTES), alignment: 64)
    }
    defer { scratch.forEach { $0?.deallocate() } }
    let bounds: [Int64] = [0, 1, 3]
    withUnsafePointer(to: &args) { args in
      let slices = [UnsafeRawPointer?](repeating: UnsafeRawPointer(args), count: 2)
      slices.withUnsafeBufferPointer { slices in
        bounds.withUnsafeBufferPointer { bounds in
          var instruction = clat_instruction(
            kernel: kernel, args: slices.baseAddress, bounds: bounds.baseAddress, barrier: 0)
          withUnsafePointer(to: &instruction) { instruction in
            var segment = clat_segment(instructions: instruction, count: 1, rounds: 1)
            withUnsafePointer(to: &segment) { segment in
              var section = clat_section(segments: segment, count: 1, repeat: Int64(repeats))
              clat_team_run(&section, 1, 2, &scratch, nil)
            }
          }
        }
      }
    }
  }

  @Test("The machine offers at least one CPU, and no more than it has")
  func availableCPUs() {
    #expect((1...ProcessInfo.processInfo.processorCount).contains(Int(clat_team_available_cpus())))
  }
}
