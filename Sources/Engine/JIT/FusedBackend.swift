import Foundation
import IR
import Kernels

/// What executes fused regions.
public enum FusedBackend: String, Sendable, CaseIterable {
  /// Code that LLVM generates for each region.
  case llvm
  /// An interpreter that works on blocks of lanes: slower, with nothing to install.
  case blocks

  /// The environment variable CLAT_FUSED names one of them; else LLVM is used where it is
  /// installed.
  public static let preferred: FusedBackend = {
    let wanted = ProcessInfo.processInfo.environment["CLAT_FUSED"] ?? ""
    if let backend = FusedBackend(rawValue: wanted) { return backend }
    if !wanted.isEmpty { Notices.say("CLAT_FUSED=\(wanted) is neither llvm nor blocks") }
    if case .failure = FusedCompiler.shared { return .blocks }
    return .llvm
  }()

  /// Which one runs and why, for people.
  public static var explanation: String {
    switch (preferred, FusedCompiler.shared) {
    case (.llvm, .success(let compiler)): "compiled by \(compiler.library.name)"
    case (.llvm, .failure(let error)): "none: CLAT_FUSED=llvm, but \(error.message)"
    case (.blocks, .success): "interpreted by blocks, as CLAT_FUSED says"
    case (.blocks, .failure(let error)): "interpreted by blocks: \(error.message)"
    }
  }
}

extension InstructionSet {
  static func hasKernel(_ name: String) -> Bool {
    clat_kernel_find(name, CLAT_ISA_REFERENCE) != nil
  }

  /// The function of a kernel, compiled where it is a fused region and `backend` compiles.
  ///
  /// - Throws: IRError where there is none.
  func kernel(
    _ name: String, _ lanes: LaneProgram?, _ backend: FusedBackend
  ) throws -> KernelFunction {
    if let lanes, self != .reference {
      if backend == .llvm { return try FusedCompiler.shared.get().kernel(lanes, self) }
      if case .failure(let error) = FusedCompiler.shared {
        Notices.say("fused regions are interpreted, more slowly: \(error.message)")
      }
    }
    guard let kernel = clat_kernel_find(name, isa) else {
      throw IRError("kernel '\(name)' does not exist for \(self)")
    }
    return kernel
  }
}
