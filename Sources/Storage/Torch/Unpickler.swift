import Foundation

/// Reads pickles (protocols 0 to 5) of tensors, numbers, text and containers, and nothing else: it
/// runs the pickle's stack machine, and calls only what `Pickle.Global` knows.
///
/// Time and memory are bounded by the length of the input and by `maximumOperations`, to which every
/// operation and every value that it copies counts.
struct Unpickler {
  /// Checkpoints of hundreds of millions of parameters have some 100,000.
  static let maximumOperations = 1 << 21

  var reader: ByteReader
  var pickle = Pickle()
  var stack: [Pickle.Value] = []
  private var marks: [Int] = []
  private var memo: [Int: Pickle.Value] = [:]
  private var operations = 0
  /// Indices of storages by key.
  var storages: [String: Int] = [:]

  init(_ data: Data, at offset: Int = 0) throws {
    reader = try ByteReader(data, at: offset)
  }

  /// Reads the next pickle up to its STOP; containers and tensors are added to `pickle`.
  ///
  /// - Throws: StorageError with the file and the byte.
  mutating func load(file: String) throws -> Pickle.Value {
    (stack, marks, memo) = ([], [], [:])
    var start = reader.offset
    do {
      while true {
        start = reader.offset
        try spend(1)
        let code = try reader.integer(UInt8.self)
        guard let operation = PickleOperation(rawValue: code) else {
          throw PickleError("no operation \(code) is known")
        }
        if operation == .stop { return try pop() }
        guard
          try constant(operation) || integer(operation) || collection(operation)
            || memory(operation) || call(operation)
        else { throw PickleError("refuses the operation \(operation)") }
      }
    } catch let error as PickleError {
      throw StorageError(.damaged, file: file, "pickle, byte \(start): \(error.problem)")
    } catch is ByteReader.EndOfBytes {
      throw StorageError(.damaged, file: file, "pickle, byte \(start): truncated")
    }
  }

  /// Counts operations, or values that one of them copies.
  mutating func spend(_ count: Int) throws {
    operations += count
    guard operations <= Self.maximumOperations else {
      throw PickleError("more than \(Self.maximumOperations) operations")
    }
  }

  // MARK: - The stack

  mutating func push(_ value: Pickle.Value) { stack.append(value) }

  mutating func pop() throws -> Pickle.Value {
    guard stack.count > marks.last ?? 0, let value = stack.popLast() else {
      throw PickleError("takes a value that is not there")
    }
    return value
  }

  /// All values above the last mark.
  mutating func popMark() throws -> [Pickle.Value] {
    guard let mark = marks.popLast() else { throw PickleError("takes a mark that is not there") }
    defer { stack.removeSubrange(mark...) }
    return Array(stack[mark...])
  }

  mutating func pushContainer(_ kind: Pickle.Container.Kind, _ items: [Pickle.Value] = []) {
    push(container(kind, items))
  }

  mutating func container(
    _ kind: Pickle.Container.Kind, _ items: [Pickle.Value] = []
  ) -> Pickle.Value {
    pickle.containers.append(.init(kind: kind, items: items))
    return .container(pickle.containers.count - 1)
  }

  // MARK: - Operations

  private mutating func memory(_ operation: PickleOperation) throws -> Bool {
    switch operation {
    case .proto:
      let version = try reader.integer(UInt8.self)
      guard version <= 5 else { throw PickleError("protocol \(version), expected at most 5") }
    case .frame: _ = try reader.bytes(8)
    case .mark: marks.append(stack.count)
    case .pop:
      if stack.count == marks.last { marks.removeLast() } else { _ = try pop() }
    case .popMark: _ = try popMark()
    case .dup:
      let value = try pop()
      stack += [value, value]
    case .put: try remember(reader.line().number())
    case .binput: try remember(reader.int(UInt8.self))
    case .longBinput: try remember(reader.int(UInt32.self))
    case .memoize: try remember(memo.count)
    case .get: try recall(reader.line().number())
    case .binget: try recall(reader.int(UInt8.self))
    case .longBinget: try recall(reader.int(UInt32.self))
    default: return false
    }
    return true
  }

  private mutating func remember(_ place: Int) throws {
    let value = try pop()
    memo[place] = value
    push(value)
  }

  private mutating func recall(_ place: Int) throws {
    guard let value = memo[place] else { throw PickleError("no value \(place) is remembered") }
    push(value)
  }

  private mutating func collection(_ operation: PickleOperation) throws -> Bool {
    switch operation {
    case .emptyList: pushContainer(.list)
    case .emptyDict: pushContainer(.dictionary)
    case .emptySet: pushContainer(.set)
    case .emptyTuple: pushContainer(.tuple)
    case .list: try pushContainer(.list, popMark())
    case .tuple: try pushContainer(.tuple, popMark())
    case .frozenset: try pushContainer(.set, popMark())
    case .tuple1, .tuple2, .tuple3:
      let count = Int(operation.rawValue - PickleOperation.tuple1.rawValue) + 1
      let items = try (0..<count).map { _ in try pop() }
      pushContainer(.tuple, items.reversed())
    case .dict:
      let items = try popMark()
      pushContainer(.dictionary)
      try extend(.dictionary, items)
    case .append: try extend(.list, [pop()])
    case .appends: try extend(.list, popMark())
    case .addItems: try extend(.set, popMark())
    case .setItem:
      let value = try pop()
      try extend(.dictionary, [pop(), value])
    case .setItems: try extend(.dictionary, popMark())
    default: return false
    }
    return true
  }

  /// Adds to the container on top of the stack.
  private mutating func extend(
    _ kind: Pickle.Container.Kind, _ items: [Pickle.Value]
  ) throws {
    guard stack.count > marks.last ?? 0, case .container(let index) = stack.last,
      pickle.containers[index].kind == kind
    else { throw PickleError("adds to something that is no \(kind)") }
    guard kind != .dictionary || items.count % 2 == 0 else {
      throw PickleError("a dictionary's key without a value")
    }
    pickle.containers[index].items += items
  }
}

extension Data {
  /// A decimal number in a line.
  fileprivate func number() throws -> Int {
    guard let number = Int(String(decoding: self, as: UTF8.self)), number >= 0 else {
      throw PickleError("expected a number")
    }
    return number
  }
}
