import CLLVM
import IR

/// One function in the making, with the types and instructions that regions need: vectors of
/// `lanes` floats and everything around them.
final class LLVMBuilder {
  // What LLVM's functions return may be nil to Swift, and is not.
  typealias Value = LLVMValueRef?
  typealias Kind = LLVMTypeRef?

  let api: cllvm
  let lanes: Int
  let context: LLVMContextRef?
  let module: LLVMModuleRef?
  let function: Value
  private let builder: LLVMBuilderRef?
  /// Where local variables are made.
  private let entry, start: LLVMBasicBlockRef?
  let f32, i8, i64, vector, integers, bytes: Kind

  /// `void name(i8* args, i64 begin, i64 end, i8* scratch)`.
  init(_ api: cllvm, lanes: Int, name: String) {
    self.api = api
    self.lanes = lanes
    context = api.LLVMContextCreate()
    module = api.LLVMModuleCreateWithNameInContext(name, context)
    builder = api.LLVMCreateBuilderInContext(context)
    f32 = api.LLVMFloatTypeInContext(context)
    i8 = api.LLVMIntTypeInContext(context, 8)
    i64 = api.LLVMIntTypeInContext(context, 64)
    vector = api.LLVMVectorType(f32, UInt32(lanes))
    integers = api.LLVMVectorType(api.LLVMIntTypeInContext(context, 32), UInt32(lanes))
    bytes = api.LLVMPointerType(i8, 0)
    var parameters: [Kind] = [bytes, i64, i64, bytes]
    let type = api.LLVMFunctionType(
      api.LLVMVoidTypeInContext(context), &parameters, UInt32(parameters.count), 0)
    function = api.LLVMAddFunction(module, name, type)
    entry = api.LLVMAppendBasicBlockInContext(context, function, "entry")
    start = api.LLVMAppendBasicBlockInContext(context, function, "start")
    api.LLVMPositionBuilderAtEnd(builder, start)
    forbidLibraryCalls()
  }

  deinit {
    api.LLVMDisposeBuilder(builder)
    api.LLVMDisposeModule(module)
    api.LLVMContextDispose(context)
  }

  /// Compiled code is linked to nothing, so no loop may become a call of memset.
  private func forbidLibraryCalls() {
    let name = "no-builtins"
    let attribute = api.LLVMCreateStringAttribute(context, name, UInt32(name.utf8.count), "", 0)
    api.LLVMAddAttributeAtIndex(function, LLVMAttributeIndex(bitPattern: -1), attribute)
  }

  /// Ends the function.
  func finish() {
    _ = api.LLVMBuildRetVoid(builder)
    api.LLVMPositionBuilderAtEnd(builder, entry)
    _ = api.LLVMBuildBr(builder, start)
  }

  func parameter(_ index: Int) -> Value { api.LLVMGetParam(function, UInt32(index)) }

  // MARK: - Constants

  func int(_ value: Int) -> Value { api.LLVMConstInt(i64, UInt64(bitPattern: Int64(value)), 1) }

  func splat(_ value: Float) -> Value {
    repeated(api.LLVMConstReal(f32, Double(value)))
  }

  func splatInt(_ value: Int32) -> Value {
    let type = api.LLVMIntTypeInContext(context, 32)
    return repeated(api.LLVMConstInt(type, UInt64(UInt32(bitPattern: value)), 0))
  }

  private func repeated(_ value: Value) -> Value {
    var elements = [Value](repeating: value, count: lanes)
    return api.LLVMConstVector(&elements, UInt32(lanes))
  }

  /// True in the first `count` lanes.
  func liveLanes(_ count: Int) -> Value {
    let bit = api.LLVMIntTypeInContext(context, 1)
    var elements = (0..<lanes).map { api.LLVMConstInt(bit, $0 < count ? 1 : 0, 0) }
    return api.LLVMConstVector(&elements, UInt32(lanes))
  }

  // MARK: - Arithmetic

  func add(_ a: Value, _ b: Value) -> Value { api.LLVMBuildFAdd(builder, a, b, "") }
  func subtract(_ a: Value, _ b: Value) -> Value { api.LLVMBuildFSub(builder, a, b, "") }
  func multiply(_ a: Value, _ b: Value) -> Value { api.LLVMBuildFMul(builder, a, b, "") }
  func divide(_ a: Value, _ b: Value) -> Value { api.LLVMBuildFDiv(builder, a, b, "") }

  func multiplyAdd(_ a: Value, _ b: Value, _ c: Value) -> Value {
    call("llvm.fmuladd", [vector], [a, b, c])
  }

  func compare(_ predicate: LLVMRealPredicate, _ a: Value, _ b: Value) -> Value {
    api.LLVMBuildFCmp(builder, predicate, a, b, "")
  }

  func select(_ mask: Value, _ a: Value, _ b: Value) -> Value {
    api.LLVMBuildSelect(builder, mask, a, b, "")
  }

  func addInt(_ a: Value, _ b: Value) -> Value { api.LLVMBuildAdd(builder, a, b, "") }
  func subtractInt(_ a: Value, _ b: Value) -> Value { api.LLVMBuildSub(builder, a, b, "") }
  func multiplyInt(_ a: Value, _ b: Value) -> Value { api.LLVMBuildMul(builder, a, b, "") }
  func and(_ a: Value, _ b: Value) -> Value { api.LLVMBuildAnd(builder, a, b, "") }

  func shiftLeft(_ a: Value, _ count: Int32) -> Value {
    api.LLVMBuildShl(builder, a, splatInt(count), "")
  }

  func shiftRight(_ a: Value, _ count: Int32) -> Value {
    api.LLVMBuildAShr(builder, a, splatInt(count), "")
  }

  /// A whole number divided by eight.
  func eighth(_ a: Value) -> Value { api.LLVMBuildAShr(builder, a, int(3), "") }

  func floats(_ bits: Value) -> Value { api.LLVMBuildBitCast(builder, bits, vector, "") }
  func bits(_ floats: Value) -> Value { api.LLVMBuildBitCast(builder, floats, integers, "") }
  func converted(_ whole: Value) -> Value { api.LLVMBuildSIToFP(builder, whole, vector, "") }

  /// `combine` over all lanes, in every lane of the result; halves are folded in a fixed order.
  func acrossLanes(_ value: Value, _ combine: (Value, Value) -> Value) -> Value {
    var (value, distance) = (value, lanes / 2)
    while distance > 0 {
      var order = (0..<lanes).map {
        api.LLVMConstInt(api.LLVMIntTypeInContext(context, 32), UInt64($0 ^ distance), 0)
      }
      let mask = api.LLVMConstVector(&order, UInt32(lanes))
      value = combine(value, api.LLVMBuildShuffleVector(builder, value, value, mask, ""))
      distance /= 2
    }
    return value
  }

  private func call(_ name: String, _ types: [Kind], _ arguments: [Value]) -> Value {
    var (types, arguments) = (types, arguments)
    let id = api.LLVMLookupIntrinsicID(name, name.utf8.count)
    let callee = api.LLVMGetIntrinsicDeclaration(module, id, &types, types.count)
    let type = api.LLVMIntrinsicGetType(context, id, &types, types.count)
    return api.LLVMBuildCall2(builder, type, callee, &arguments, UInt32(arguments.count), "")
  }

  // MARK: - Memory

  /// A local variable that holds a vector.
  func variable() -> Value {
    let here = api.LLVMGetInsertBlock(builder)
    api.LLVMPositionBuilderAtEnd(builder, entry)
    let variable = api.LLVMBuildAlloca(builder, vector, "")
    api.LLVMPositionBuilderAtEnd(builder, here)
    return variable
  }

  func get(_ variable: Value) -> Value { api.LLVMBuildLoad2(builder, vector, variable, "") }
  func set(_ variable: Value, _ value: Value) { _ = api.LLVMBuildStore(builder, value, variable) }

  private func address(_ base: Value, _ type: Kind, _ index: Value) -> Value {
    let typed = api.LLVMBuildBitCast(builder, base, api.LLVMPointerType(type, 0), "")
    var indices: [Value] = [index]
    return api.LLVMBuildGEP2(builder, type, typed, &indices, 1, "")
  }

  private func aligned(_ access: Value, _ bytes: UInt32) -> Value {
    api.LLVMSetAlignment(access, bytes)
    return access
  }

  /// Element `index` of an array of `type` at `base`.
  func load(_ type: Kind, _ base: Value, _ index: Value) -> Value {
    api.LLVMBuildLoad2(builder, type, address(base, type, index), "")
  }

  func broadcast(_ base: Value, _ index: Value) -> Value {
    let value = aligned(load(f32, base, index), 4)
    let lane = api.LLVMBuildInsertElement(
      builder, api.LLVMGetUndef(vector), value, int(0), "")
    return api.LLVMBuildShuffleVector(
      builder, lane, api.LLVMGetUndef(vector), api.LLVMConstNull(integers), "")
  }

  func storeFirst(_ value: Value, _ base: Value, _ index: Value) {
    let element = api.LLVMBuildExtractElement(builder, value, int(0), "")
    _ = aligned(api.LLVMBuildStore(builder, element, address(base, f32, index)), 4)
  }

  /// The first `live` of the lanes from float `index` on; the others are zero.
  func load(_ base: Value, _ index: Value, live: Int) -> Value {
    let place = pointerToVector(base, index)
    if live == lanes { return aligned(api.LLVMBuildLoad2(builder, vector, place, ""), 4) }
    return call(
      "llvm.masked.load", [vector, api.LLVMPointerType(vector, 0)],
      [place, alignment, liveLanes(live), splat(0)])
  }

  func store(_ value: Value, _ base: Value, _ index: Value, live: Int) {
    let place = pointerToVector(base, index)
    if live == lanes {
      _ = aligned(api.LLVMBuildStore(builder, value, place), 4)
    } else {
      _ = call(
        "llvm.masked.store", [vector, api.LLVMPointerType(vector, 0)],
        [value, place, alignment, liveLanes(live)])
    }
  }

  private var alignment: Value { api.LLVMConstInt(api.LLVMIntTypeInContext(context, 32), 4, 0) }

  private func pointerToVector(_ base: Value, _ index: Value) -> Value {
    api.LLVMBuildBitCast(
      builder, address(base, f32, index), api.LLVMPointerType(vector, 0), "")
  }

  /// The bits of `live` lanes from byte `index` on, as a mask; `lanes` is 8 or 16.
  func loadBits(_ base: Value, _ index: Value, live: Int) -> Value {
    let (stored, whole) = bitTypes(live)
    var word = aligned(
      api.LLVMBuildLoad2(builder, stored, bitPlace(base, index, stored), ""), 1)
    if stored != whole { word = api.LLVMBuildZExt(builder, word, whole, "") }
    let mask = api.LLVMVectorType(api.LLVMIntTypeInContext(context, 1), UInt32(lanes))
    return api.LLVMBuildBitCast(builder, word, mask, "")
  }

  func storeBits(_ mask: Value, _ base: Value, _ index: Value, live: Int) {
    let (stored, whole) = bitTypes(live)
    let kept = live == lanes ? mask : and(mask, liveLanes(live))
    var word: Value = api.LLVMBuildBitCast(builder, kept, whole, "")
    if stored != whole { word = api.LLVMBuildTrunc(builder, word, stored, "") }
    _ = aligned(api.LLVMBuildStore(builder, word, bitPlace(base, index, stored)), 1)
  }

  private func bitTypes(_ live: Int) -> (stored: Kind, whole: Kind) {
    (
      api.LLVMIntTypeInContext(context, UInt32((live + 7) / 8 * 8)),
      api.LLVMIntTypeInContext(context, UInt32(lanes))
    )
  }

  private func bitPlace(_ base: Value, _ index: Value, _ type: Kind) -> Value {
    api.LLVMBuildBitCast(builder, address(base, i8, index), api.LLVMPointerType(type, 0), "")
  }

  // MARK: - Loops

  /// `body` for every index from `first` in steps of `step` while it is below `end`.
  func loop(from first: Value, to end: Value, step: Int = 1, _ body: (Value) -> Void) {
    let before = api.LLVMGetInsertBlock(builder)
    let header = api.LLVMAppendBasicBlockInContext(context, function, "loop")
    let inside = api.LLVMAppendBasicBlockInContext(context, function, "inside")
    let after = api.LLVMAppendBasicBlockInContext(context, function, "after")
    _ = api.LLVMBuildBr(builder, header)
    api.LLVMPositionBuilderAtEnd(builder, header)
    let index: Value = api.LLVMBuildPhi(builder, i64, "")
    let condition = api.LLVMBuildICmp(builder, LLVMIntSLT, index, end, "")
    _ = api.LLVMBuildCondBr(builder, condition, inside, after)
    api.LLVMPositionBuilderAtEnd(builder, inside)
    body(index)
    var values: [Value] = [first, addInt(index, int(step))]
    var blocks = [before, api.LLVMGetInsertBlock(builder)]
    _ = api.LLVMBuildBr(builder, header)
    api.LLVMAddIncoming(index, &values, &blocks, 2)
    api.LLVMPositionBuilderAtEnd(builder, after)
  }
}
