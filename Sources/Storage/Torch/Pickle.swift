import Foundation

/// What a pickle says, as values that refer to each other by index: no nesting and no cycle of a
/// hostile file can exhaust the stack or keep memory.
struct Pickle {
  /// One Python object.
  enum Value {
    case none
    case bool(Bool)
    case int(Int)
    /// An integer beyond 64 bits: two's complement, little-endian.
    case long(Data)
    case double(Double)
    case text(String)
    case bytes(Data)
    /// Index in `containers`.
    case container(Int)
    /// Index in `storages`.
    case storage(Int)
    /// Index in `tensors`.
    case tensor(Int)
    /// Something that the pickle names instead of holding it.
    case global(Global)
    /// NumPy's name of an element type, `f8`.
    case numpyType(String)
  }

  struct Container {
    enum Kind { case list, tuple, set, dictionary, namespace }

    var kind: Kind
    /// A dictionary's keys and values in turn.
    var items: [Value]
  }

  /// Memory that tensors share; the file holds it beside the pickle.
  struct Storage {
    /// Nil where its tensors say it (`UntypedStorage`, counted in bytes).
    var type: StoredType?
    /// The name of its bytes in the file.
    var key: String
    /// Elements.
    var count: Int
    /// Where it is a part of the bytes: the first element.
    var start = 0
  }

  /// A view of a storage, in elements.
  struct Tensor {
    var storage: Int
    var type: StoredType
    var offset: Int
    var shape: [Int]
    var strides: [Int]
  }

  var containers: [Container] = []
  var storages: [Storage] = []
  var tensors: [Tensor] = []

  /// A dictionary's entries; nil for anything else.
  func entries(_ value: Value) -> [(key: Value, value: Value)]? {
    guard case .container(let index) = value else { return nil }
    let container = containers[index]
    guard container.kind == .dictionary || container.kind == .namespace else { return nil }
    return stride(from: 0, to: container.items.count - 1, by: 2).map {
      (container.items[$0], container.items[$0 + 1])
    }
  }

  /// A list's, tuple's or set's items; nil for anything else.
  func items(_ value: Value) -> [Value]? {
    guard case .container(let index) = value else { return nil }
    let container = containers[index]
    switch container.kind {
    case .list, .tuple, .set: return container.items
    case .dictionary, .namespace: return nil
    }
  }
}

/// Why a pickle is not read.
struct PickleError: Error {
  var problem: String

  init(_ problem: String) { self.problem = problem }
}

extension Pickle.Value {
  func int() throws -> Int {
    guard case .int(let value) = self else { throw PickleError("expected an integer") }
    return value
  }

  func text() throws -> String {
    guard case .text(let value) = self else { throw PickleError("expected text") }
    return value
  }
}
