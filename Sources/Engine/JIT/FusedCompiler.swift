import CLLVM
import Foundation
import IR
import Kernels
import Synchronization

/// Compiles lane programs with LLVM: one function for each, kept in memory, and on disk for later
/// processes.
final class FusedCompiler: @unchecked Sendable {
  /// Raised whenever the generated code changes.
  private static let version = 1

  /// The process's compiler, or why there is none.
  static let shared: Result<FusedCompiler, IRError> = LLVMLibrary.shared.flatMap { library in
    .success(FusedCompiler(library, cache: .standard))
  }

  let library: LLVMLibrary
  private let cache: DiskCache?
  private let linked = Mutex<[String: MachineCode]>([:])
  #if !arch(x86_64)
    private let functions = Mutex<[String: KernelFunction]>([:])
    private let jit = Mutex<LLVMOrcLLJITRef?>(nil)
  #endif
  /// How many functions were translated, not found on disk.
  private(set) var translated = 0

  init(_ library: LLVMLibrary, cache: DiskCache?) {
    self.library = library
    self.cache = cache
  }

  /// The kernel of a program.
  ///
  /// - Throws: IRError with LLVM's reason.
  func kernel(_ program: LaneProgram, _ set: InstructionSet) throws -> KernelFunction {
    #if arch(x86_64)
      return try machineCode(program, set).function()
    #else
      return try functions.withLock { functions in
        let key = key(program, set)
        if let known = functions[key] { return known }
        let name = name(key)
        let function = try load(code(program, set, key, name), name)
        functions[key] = function
        return function
      }
    #endif
  }

  /// The kernel's code, which a file can hold.
  ///
  /// - Throws: IRError with LLVM's reason, or where it cannot be linked on this architecture.
  func machineCode(_ program: LaneProgram, _ set: InstructionSet) throws -> MachineCode {
    try linked.withLock { linked in
      let key = key(program, set)
      if let known = linked[key] { return known }
      let name = name(key)
      let code = try MachineCode(object: code(program, set, key, name), function: name)
      linked[key] = code
      return code
    }
  }

  private func key(_ program: LaneProgram, _ set: InstructionSet) -> String {
    "version \(Self.version), \(library.name), \(set.features)\n\(program.text)"
  }

  private func name(_ key: String) -> String { "fused_" + Checksum.hex(key.utf8) }

  /// The LLVM IR of a program, before LLVM's own passes.
  func text(_ program: LaneProgram, _ set: InstructionSet) throws -> String {
    let builder = try write(program, set, "fused")
    return library.take(library.api.LLVMPrintModuleToString(builder.module))
  }

  private func code(
    _ program: LaneProgram, _ set: InstructionSet, _ key: String, _ name: String
  ) throws -> Data {
    if let known = cache?.read(.fused, key) { return known }
    let machine = try machine(set)
    defer { library.api.LLVMDisposeTargetMachine(machine) }
    let code = try object(write(program, set, name), machine)
    translated += 1
    let about = "fused region, \(program.loops.map(\.steps.count).reduce(0, +)) steps, \(set)"
    cache?.write(.fused, key, about: about, code)
    return code
  }

  private func write(
    _ program: LaneProgram, _ set: InstructionSet, _ name: String
  ) throws -> LLVMBuilder {
    let builder = LLVMBuilder(library.api, lanes: set.lanes(program), name: name)
    LaneCompiler.write(program, builder)
    var reason: UnsafeMutablePointer<CChar>?
    let isWrong = library.api.LLVMVerifyModule(builder.module, LLVMReturnStatusAction, &reason)
    let message = library.take(reason)
    guard isWrong == 0 else { throw IRError("LLVM refuses a fused region: \(message)") }
    return builder
  }

  /// Code generation for the instruction set that our dispatch chose; what LLVM finds out about the
  /// CPU is not asked.
  private func machine(_ set: InstructionSet) throws -> LLVMTargetMachineRef? {
    let triple = library.api.LLVMGetDefaultTargetTriple()
    var target: LLVMTargetRef?
    var reason: UnsafeMutablePointer<CChar>?
    let failed = library.api.LLVMGetTargetFromTriple(triple, &target, &reason)
    defer { library.api.LLVMDisposeMessage(triple) }
    guard failed == 0 else { throw IRError("LLVM: \(library.take(reason))") }
    return library.api.LLVMCreateTargetMachine(
      target, triple, InstructionSet.cpu, set.features, LLVMCodeGenLevelDefault, LLVMRelocPIC,
      LLVMCodeModelSmall)
  }

  private func object(_ builder: LLVMBuilder, _ machine: LLVMTargetMachineRef?) throws -> Data {
    let api = library.api
    let layout = api.LLVMCreateTargetDataLayout(machine)
    api.LLVMSetModuleDataLayout(builder.module, layout)
    api.LLVMDisposeTargetData(layout)
    let options = api.LLVMCreatePassBuilderOptions()
    defer { api.LLVMDisposePassBuilderOptions(options) }
    if let error = api.LLVMRunPasses(builder.module, "default<O2>", machine, options) {
      throw IRError("LLVM cannot optimise a fused region: \(library.message(error))")
    }
    var buffer: LLVMMemoryBufferRef?
    var reason: UnsafeMutablePointer<CChar>?
    guard
      api.LLVMTargetMachineEmitToMemoryBuffer(
        machine, builder.module, LLVMObjectFile, &reason, &buffer) == 0
    else { throw IRError("LLVM cannot compile a fused region: \(library.take(reason))") }
    defer { api.LLVMDisposeMemoryBuffer(buffer) }
    return Data(bytes: api.LLVMGetBufferStart(buffer)!, count: api.LLVMGetBufferSize(buffer))
  }
}

#if !arch(x86_64)
  extension FusedCompiler {
    /// Links with LLVM, where `MachineCode` knows no relocations.
    private func load(_ code: Data, _ name: String) throws -> KernelFunction {
      let api = library.api
      let jit = try jit.withLock { jit in
        if jit == nil, let error = api.LLVMOrcCreateLLJIT(&jit, nil) {
          throw IRError("LLVM cannot start: \(library.message(error))")
        }
        return jit
      }
      let buffer = code.withUnsafeBytes {
        api.LLVMCreateMemoryBufferWithMemoryRangeCopy($0.baseAddress, $0.count, name)
      }
      let module = api.LLVMOrcLLJITGetMainJITDylib(jit)
      if let error = api.LLVMOrcLLJITAddObjectFile(jit, module, buffer) {
        throw IRError("LLVM cannot load a fused region: \(library.message(error))")
      }
      var address: LLVMOrcExecutorAddress = 0
      if let error = api.LLVMOrcLLJITLookup(jit, &address, name) {
        throw IRError("LLVM cannot link a fused region: \(library.message(error))")
      }
      return unsafeBitCast(UInt(address), to: KernelFunction.self)
    }
  }
#endif

extension InstructionSet {
  /// The CPU that code is generated for: any of the architecture, plus `features`.
  fileprivate static var cpu: String {
    #if arch(x86_64)
      "x86-64"
    #else
      "generic"
    #endif
  }

  fileprivate var features: String {
    switch self {
    case .reference, .portable: ""
    case .avx2: "+avx2,+fma"
    case .avx512: "+avx512f,+avx512bw,+avx512dq,+avx512vl,+avx2,+fma"
    }
  }

  /// Floats of a register; bits come by the byte.
  fileprivate func lanes(_ program: LaneProgram) -> Int {
    switch self {
    case .reference, .portable: program.roles.contains(.bits) ? 8 : 4
    case .avx2: 8
    case .avx512: 16
    }
  }
}
