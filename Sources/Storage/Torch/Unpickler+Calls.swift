import Foundation

extension Unpickler {
  /// What names or calls something: only what `Pickle.Global` knows.
  mutating func call(_ operation: PickleOperation) throws -> Bool {
    switch operation {
    case .global:
      let (module, name) = (Self.text(try reader.line()), Self.text(try reader.line()))
      push(.global(try .init(module: module, name: name)))
    case .stackGlobal:
      let name = try pop().text()
      push(.global(try .init(module: pop().text(), name: name)))
    case .inst:
      let (module, name) = (Self.text(try reader.line()), Self.text(try reader.line()))
      _ = try Pickle.Global(module: module, name: name)
      return false
    case .reduce, .newobj:
      let arguments = try items(pop())
      push(try result(of: pop(), arguments))
    case .newobjEx:
      _ = try pop()
      let arguments = try items(pop())
      push(try result(of: pop(), arguments))
    case .build: try build(state: pop())
    case .binpersid: push(try persistent(items(pop())))
    default: return false
    }
    return true
  }

  private func items(_ value: Pickle.Value) throws -> [Pickle.Value] {
    guard let items = pickle.items(value) else { throw PickleError("expected a tuple") }
    return items
  }

  private mutating func result(
    of callable: Pickle.Value, _ arguments: [Pickle.Value]
  ) throws -> Pickle.Value {
    guard case .global(let global) = callable else {
      throw PickleError("refuses to call something that is no function of PyTorch's")
    }
    switch global {
    case .rebuildTensor: return try tensor(arguments, type: nil)
    case .rebuildTypedTensor:
      guard arguments.count >= 7, case .global(.type(let type)) = arguments[6] else {
        throw PickleError("a tensor without a type")
      }
      return try tensor(arguments, type: type)
    case .rebuildParameter: return try parameter(arguments)
    case .rebuildSubclass:
      guard arguments.count >= 3, case .global(let inner) = arguments[0],
        [.rebuildTensor, .rebuildTypedTensor, .rebuildParameter].contains(inner)
      else { throw PickleError("a tensor of a kind that is not known") }
      return try result(of: arguments[0], items(arguments[2]))
    case .orderedDictionary, .defaultDictionary: return try dictionary(global, arguments)
    case .namespace where arguments.isEmpty: return container(.namespace)
    case .set: return container(.set, try arguments.first.map(items) ?? [])
    case .size: return container(.tuple, try arguments.first.map(items) ?? [])
    case .device: return .text(try arguments.first?.text() ?? "")
    case .encodeBytes: return try encoded(arguments)
    case .numpyType: return .numpyType(try arguments.first?.text() ?? "")
    case .numpyScalar: return try Self.scalar(arguments)
    case .storage, .type, .mentioned, .namespace:
      throw PickleError("refuses to call a type")
    }
  }

  /// `OrderedDict()`, `OrderedDict(pairs)` of Python 2, `defaultdict(factory)`.
  private mutating func dictionary(
    _ global: Pickle.Global, _ arguments: [Pickle.Value]
  ) throws -> Pickle.Value {
    guard global == .orderedDictionary, let pairs = arguments.first else {
      return container(.dictionary)
    }
    if case .container(let index) = pairs, pickle.containers[index].kind == .dictionary {
      return container(.dictionary, pickle.containers[index].items)
    }
    let list = try items(pairs)
    try spend(list.count)
    let members = try list.flatMap { pair in
      let members = try items(pair)
      guard members.count == 2 else { throw PickleError("expected a key and a value") }
      return members
    }
    return container(.dictionary, members)
  }

  /// An object's attributes: those of a namespace are kept, others say nothing about weights.
  private mutating func build(state: Pickle.Value) throws {
    let target = try pop()
    push(target)
    switch target {
    case .container(let index):
      guard pickle.containers[index].kind == .namespace, case .container(let source) = state,
        pickle.containers[source].kind == .dictionary
      else { return }
      try spend(pickle.containers[source].items.count)
      pickle.containers[index].items += pickle.containers[source].items
    case .tensor, .numpyType: break
    default: throw PickleError("refuses to set an object's state")
    }
  }

  /// `_codecs.encode(text, "latin1")`: bytes, as protocol 2 writes them.
  private mutating func encoded(_ arguments: [Pickle.Value]) throws -> Pickle.Value {
    guard let text = try arguments.first?.text() else { throw PickleError("expected text") }
    try spend(text.utf8.count)
    let bytes = text.unicodeScalars.map { UInt8(exactly: $0.value) }
    guard !bytes.contains(nil) else { throw PickleError("text beyond Latin-1 as bytes") }
    return .bytes(Data(bytes.compactMap(\.self)))
  }

  /// A NumPy number.
  private static func scalar(_ arguments: [Pickle.Value]) throws -> Pickle.Value {
    guard arguments.count == 2, case .numpyType(let type) = arguments[0],
      case .bytes(let bytes) = arguments[1]
    else { throw PickleError("expected NumPy's type and bytes") }
    var reader = try ByteReader(bytes)
    switch type {
    case "f8": return .double(Double(bitPattern: try reader.integer()))
    case "f4": return .double(Double(Float(bitPattern: try reader.integer())))
    case "i8": return .int(Int(try reader.integer(Int64.self)))
    case "i4": return .int(Int(try reader.integer(Int32.self)))
    case "u1": return .int(try reader.int(UInt8.self))
    case "b1": return .bool(try reader.integer(UInt8.self) != 0)
    default: throw PickleError("a NumPy number of type \(quoted(type))")
    }
  }
}
