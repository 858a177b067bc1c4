import CLLVM
import Foundation
import IR

/// The LLVM library, loaded when it is first wanted.
struct LLVMLibrary: @unchecked Sendable {
  let api: cllvm
  /// The file that was loaded.
  let name: String

  /// The library, or why there is none.
  static let shared: Result<LLVMLibrary, IRError> = load(candidates)

  private static let candidates =
    ["libLLVM-14.so.1", "libLLVM-14.so"]
    + (15...18).map { "libLLVM-\($0).so.1" } + (18...22).map { "libLLVM.so.\($0).1" }

  static func load(_ names: [String]) -> Result<LLVMLibrary, IRError> {
    var reason = "\(names[0]) and newer ones are not installed"
    for name in names {
      guard let handle = dlopen(name, RTLD_NOW | RTLD_LOCAL) else { continue }
      var api = cllvm()
      guard let missing = cllvm_load(handle, &api) else {
        return .success(LLVMLibrary(api: api, name: name))
      }
      reason = "\(name) lacks \(String(cString: missing))"
    }
    return .failure(IRError(reason))
  }

  /// The message of an error, which this consumes.
  func message(_ error: LLVMErrorRef) -> String {
    let text = api.LLVMGetErrorMessage(error)!
    defer { api.LLVMDisposeErrorMessage(text) }
    return String(cString: text)
  }

  /// A string of LLVM's, which this consumes.
  func take(_ text: UnsafeMutablePointer<CChar>?) -> String {
    guard let text else { return "" }
    defer { api.LLVMDisposeMessage(text) }
    return String(cString: text)
  }
}
