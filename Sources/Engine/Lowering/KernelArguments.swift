import IR

/// Constant memory that kernels read besides their operands, such as offsets of pixels: made when a
/// program is compiled, and never changed.
public final class KernelTable: @unchecked Sendable {
  /// An address of another table, `offset` bytes from the start.
  struct Link {
    var offset: Int
    var table: KernelTable
  }

  let pointer: UnsafeRawPointer
  let byteCount: Int
  let links: [Link]
  private let memory: UnsafeMutableRawPointer

  /// - Parameter fill: writes into memory that is zero, before the links are.
  init(byteCount: Int, links: [Link] = [], _ fill: (UnsafeMutableRawPointer) -> Void) {
    memory = .allocate(byteCount: max(byteCount, 1), alignment: 64)
    memory.initializeMemory(as: UInt8.self, repeating: 0, count: max(byteCount, 1))
    fill(memory)
    for link in links {
      memory.storeBytes(
        of: link.table.pointer, toByteOffset: link.offset, as: UnsafeRawPointer.self)
    }
    pointer = UnsafeRawPointer(memory)
    self.byteCount = byteCount
    self.links = links
  }

  /// Numbers or C structs, one after the other.
  ///
  /// - Parameter links: for a pointer field of the structs, the table that it points to in each.
  convenience init<Element>(
    _ elements: [Element], _ links: [(PartialKeyPath<Element>, [KernelTable])] = []
  ) {
    let stride = MemoryLayout<Element>.stride
    let layout = elements.first.map(StructLayout.of)
    let placed = links.flatMap { field, tables in
      tables.enumerated().map { index, table in
        Link(offset: index * stride + MemoryLayout<Element>.offset(of: field)!, table: table)
      }
    }
    self.init(byteCount: elements.count * stride, links: placed) { memory in
      elements.withUnsafeBytes { source in
        for offset in Swift.stride(from: 0, to: source.count, by: stride) {
          layout?.copy(from: source.baseAddress! + offset, to: memory + offset)
        }
      }
    }
  }

  /// The contents, zero where links stand.
  var bytes: [UInt8] {
    var bytes = Array(UnsafeRawBufferPointer(start: pointer, count: byteCount))
    for link in links {
      bytes.replaceSubrange(link.offset..<link.offset + 8, with: repeatElement(0, count: 8))
    }
    return bytes
  }

  deinit { memory.deallocate() }
}

/// What a lowering rule fills into an argument struct: where operands and tables are, which is not
/// known yet, and the strides of operands.
///
/// The addresses are placeholders, far from each other; `KernelArguments` recognises them.
public struct Addresses {
  final class Tables {
    var list: [KernelTable] = []
  }

  /// Floats from one pixel to the next: the channels of the tensor, or of the wider one around it.
  fileprivate let strides: [Int]
  fileprivate let tables = Tables()

  fileprivate static let base: UInt = 1 << 46
  fileprivate static let spacing: UInt = 1 << 32
  fileprivate static let firstTable = 1 << 12
  fileprivate static let operandList = 1 << 13

  fileprivate func placeholder(_ index: Int) -> UnsafeMutableRawPointer? {
    UnsafeMutableRawPointer(bitPattern: Addresses.base + UInt(index) * Addresses.spacing)
  }

  func stride(_ index: Int?) -> Int32 { index.map { Int32(strides[$0]) } ?? 0 }

  /// An operand by its position among the call's operands.
  func raw(_ index: Int?) -> UnsafeMutableRawPointer? { index.flatMap(placeholder) }

  /// - Parameter offset: in floats, at least 0.
  func f32(_ index: Int?, from offset: Int = 0) -> UnsafeMutablePointer<Float>? {
    raw(index).map { $0.assumingMemoryBound(to: Float.self) + offset }
  }
  func i32(_ index: Int?) -> UnsafeMutablePointer<Int32>? {
    raw(index)?.assumingMemoryBound(to: Int32.self)
  }
  func u8(_ index: Int?) -> UnsafeMutablePointer<UInt8>? {
    raw(index)?.assumingMemoryBound(to: UInt8.self)
  }

  /// A table of constants.
  func table<Element>(_ table: KernelTable) -> UnsafePointer<Element>? {
    let known = tables.list.firstIndex { $0 === table }
    if known == nil { tables.list.append(table) }
    let index = Addresses.firstTable + (known ?? tables.list.count - 1)
    return placeholder(index).map { UnsafePointer($0.assumingMemoryBound(to: Element.self)) }
  }

  /// A list of the addresses of all operands.
  var list: UnsafePointer<UnsafeMutableRawPointer?>? {
    placeholder(Addresses.operandList).map {
      UnsafePointer($0.assumingMemoryBound(to: UnsafeMutableRawPointer?.self))
    }
  }
}

/// The arguments of a kernel call as data: the bytes of the C struct, and what each of its pointers
/// points to. Programs are made of these, so that a file can hold them.
struct KernelArguments {
  enum Target: Hashable {
    case operand(Int)
    case table(Int)
    /// A list of the addresses of all operands.
    case operandList
  }

  /// A pointer of the struct.
  struct Link: Hashable {
    var offset: Int
    var target: Target
    /// Bytes from the target's start.
    var addend: Int
  }

  /// Of the struct, zero where pointers stand.
  var bytes: [UInt8]
  var links: [Link]
  var tables: [KernelTable]

  init(bytes: [UInt8], links: [Link], tables: [KernelTable]) {
    (self.bytes, self.links, self.tables) = (bytes, links, tables)
  }

  /// Takes down what a lowering rule fills in.
  ///
  /// - Parameter strides: of the operands, in floats.
  /// - Throws: IRError where a pointer is to anything but operands and tables.
  init(strides: [Int], _ fill: (Addresses) -> ArgumentBlock) throws {
    let addresses = Addresses(strides: strides)
    let block = fill(addresses)
    bytes = block.bytes
    links = []
    tables = addresses.tables.list
    for field in block.layout?.fields ?? [] where field.isPointer {
      let word = block.pointer.load(fromByteOffset: field.offset, as: UInt.self)
      guard word != 0 else { continue }
      guard let link = Link(offset: field.offset, word, self, strides) else {
        throw IRError("a kernel's argument points to what is neither operand nor table")
      }
      links.append(link)
      bytes.replaceSubrange(field.offset..<field.offset + 8, with: repeatElement(0, count: 8))
    }
  }
}

extension KernelArguments.Link {
  fileprivate init?(
    offset: Int, _ address: UInt, _ arguments: KernelArguments, _ strides: [Int]
  ) {
    guard address >= Addresses.base else { return nil }
    let distance = address - Addresses.base
    self.offset = offset
    addend = Int(distance % Addresses.spacing)
    guard addend < Addresses.spacing / 2 else { return nil }
    let index = Int(distance / Addresses.spacing)
    if index == Addresses.operandList {
      target = .operandList
    } else if index >= Addresses.firstTable {
      guard index - Addresses.firstTable < arguments.tables.count else { return nil }
      target = .table(index - Addresses.firstTable)
    } else {
      guard index < strides.count else { return nil }
      target = .operand(index)
    }
  }
}

/// A C argument struct in memory of its own.
public final class ArgumentBlock {
  let pointer: UnsafeMutableRawPointer
  let byteCount: Int
  /// Of a struct that a lowering rule filled in.
  let layout: StructLayout?
  private let tables: [KernelTable]
  private let operands: UnsafeMutablePointer<UnsafeMutableRawPointer?>?

  /// A struct as it is. Padding is zero, so that equal structs have equal bytes.
  init<Arguments>(_ arguments: Arguments) {
    byteCount = MemoryLayout<Arguments>.stride
    pointer = ArgumentBlock.zeroed(byteCount)
    let layout = StructLayout.of(arguments)
    withUnsafeBytes(of: arguments) { [pointer] in layout.copy(from: $0.baseAddress!, to: pointer) }
    self.layout = layout
    tables = []
    operands = nil
  }

  /// The struct with its pointers.
  ///
  /// - Parameter addresses: of the call's operands.
  init(_ arguments: KernelArguments, _ addresses: [UnsafeMutableRawPointer?]) {
    byteCount = arguments.bytes.count
    pointer = ArgumentBlock.zeroed(byteCount)
    UnsafeMutableRawBufferPointer(start: pointer, count: byteCount).copyBytes(from: arguments.bytes)
    layout = nil
    tables = arguments.tables
    let needsList = arguments.links.contains { $0.target == .operandList }
    let list: UnsafeMutablePointer<UnsafeMutableRawPointer?>? =
      needsList ? .allocate(capacity: max(addresses.count, 1)) : nil
    list?.initialize(from: addresses, count: addresses.count)
    operands = list
    for link in arguments.links {
      let start: UnsafeRawPointer? =
        switch link.target {
        case .operand(let index): addresses[index].map { UnsafeRawPointer($0) }
        case .table(let index): arguments.tables[index].pointer
        case .operandList: list.map { UnsafeRawPointer($0) }
        }
      pointer.storeBytes(
        of: start.map { $0 + link.addend }, toByteOffset: link.offset, as: UnsafeRawPointer?.self)
    }
  }

  private static func zeroed(_ count: Int) -> UnsafeMutableRawPointer {
    let memory = UnsafeMutableRawPointer.allocate(byteCount: max(count, 8), alignment: 16)
    memory.initializeMemory(as: UInt8.self, repeating: 0, count: max(count, 8))
    return memory
  }

  var bytes: [UInt8] { Array(UnsafeRawBufferPointer(start: pointer, count: byteCount)) }

  deinit {
    pointer.deallocate()
    operands?.deallocate()
  }
}
