import Synchronization

/// The fields of a C struct, those of nested structs among them: what reflection tells about types,
/// in the places that C's rules give them.
struct StructLayout: Sendable {
  struct Field: Sendable {
    var offset: Int
    var size: Int
    var isPointer: Bool
  }

  private(set) var fields: [Field] = []

  private static let known = Mutex<[ObjectIdentifier: StructLayout]>([:])

  /// The layout of a type of structs; a number is a struct of one field.
  static func of<Struct>(_ example: Struct) -> StructLayout {
    known.withLock { known in
      if let layout = known[ObjectIdentifier(Struct.self)] { return layout }
      var layout = StructLayout()
      layout.add(example, at: 0)
      known[ObjectIdentifier(Struct.self)] = layout
      return layout
    }
  }

  private mutating func add(_ value: some Any, at start: Int) {
    let children = value is any Pointer ? [] : Array(Mirror(reflecting: value).children)
    guard !children.isEmpty else {
      let size = StructLayout.extent(value).size
      fields.append(Field(offset: start, size: size, isPointer: value is any Pointer))
      return
    }
    var offset = start
    for child in children {
      let (size, alignment) = StructLayout.extent(child.value)
      offset = (offset + alignment - 1) / alignment * alignment
      add(child.value, at: offset)
      offset += size
    }
  }

  private static func extent(_ value: Any) -> (size: Int, alignment: Int) {
    func measure<Value>(_ value: Value) -> (size: Int, alignment: Int) {
      (MemoryLayout<Value>.stride, MemoryLayout<Value>.alignment)
    }
    return _openExistential(value, do: measure)
  }

  /// Copies fields and not what is between them, so that equal structs become equal bytes.
  func copy(from source: UnsafeRawPointer, to target: UnsafeMutableRawPointer) {
    for field in fields {
      (target + field.offset).copyMemory(from: source + field.offset, byteCount: field.size)
    }
  }
}

/// A pointer as C declares it.
private protocol Pointer {}
private protocol SomePointer {}
extension UnsafePointer: SomePointer {}
extension UnsafeMutablePointer: SomePointer {}
extension UnsafeRawPointer: SomePointer {}
extension UnsafeMutableRawPointer: SomePointer {}
extension Optional: Pointer where Wrapped: SomePointer {}
