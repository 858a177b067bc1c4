import Foundation
import IR

/// The code of a fused region, independent of where it lies and of everything outside of it: what
/// an object file of LLVM's becomes once its sections are laid out and linked with each other.
final class MachineCode: @unchecked Sendable {
  /// Code and constants.
  let bytes: [UInt8]
  /// Where the function begins.
  let entry: Int
  private let lock = NSLock()
  private var mapping: UnsafeMutableRawPointer?

  /// Whether object files of this architecture can be linked here.
  static var isAvailable: Bool {
    #if arch(x86_64)
      true
    #else
      false
    #endif
  }

  /// - Throws: ProgramFileError where the function is not within the bytes.
  init(bytes: [UInt8], entry: Int) throws {
    guard entry < bytes.count else { throw ProgramFileError("code has no entry") }
    self.bytes = bytes
    self.entry = entry
  }

  /// Links an object file.
  ///
  /// - Parameter name: of the function.
  /// - Throws: IRError where the file refers to anything outside of it.
  convenience init(object: Data, function name: String) throws {
    do {
      var linker = ObjectLinker(object)
      let entry = try linker.link(name)
      try self.init(bytes: linker.image, entry: entry)
    } catch let error as ProgramFileError {
      throw IRError("compiled code cannot be linked: \(error)")
    }
  }

  /// The function, in memory that can be executed but not written; for as long as this lives.
  ///
  /// - Throws: IRError where the system grants no such memory.
  func function() throws -> KernelFunction {
    try lock.withLock {
      let start = try mapping ?? map()
      mapping = start
      return unsafeBitCast(start + entry, to: KernelFunction.self)
    }
  }

  private func map() throws -> UnsafeMutableRawPointer {
    let mapped = mmap(
      nil, bytes.count, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    guard let mapped, mapped != MAP_FAILED else {
      throw IRError("no memory for compiled code: \(String(cString: strerror(errno)))")
    }
    UnsafeMutableRawBufferPointer(start: mapped, count: bytes.count).copyBytes(from: bytes)
    guard mprotect(mapped, bytes.count, PROT_READ | PROT_EXEC) == 0 else {
      let reason = String(cString: strerror(errno))
      munmap(mapped, bytes.count)
      throw IRError("the system does not let compiled code run: \(reason)")
    }
    return mapped
  }

  deinit { if let mapping { munmap(mapping, bytes.count) } }
}

/// Lays out an ELF object file of x86-64 and applies its relocations (System V ABI, AMD64
/// supplement, 4.4), which must all be relative to where they stand.
private struct ObjectLinker {
  private struct Section {
    var type, flags, offset, size, link, info, alignment: Int
    var place: Int?
  }

  private(set) var image: [UInt8] = []
  private let file: [UInt8]
  private var sections: [Section] = []

  private enum Kind {
    static let symbols = 2, relocations = 4, zeros = 8
    static let unwinding = 0x7000_0001
    static let allocated = 2
    static let function = 2
    static let relative32 = 2, call32 = 4
  }

  init(_ object: Data) { file = [UInt8](object) }

  /// Fills `image`; where the function is in it.
  mutating func link(_ name: String) throws -> Int {
    guard file.starts(with: [0x7f, 0x45, 0x4c, 0x46, 2, 1]), try number(0x12, 2) == 62 else {
      throw ProgramFileError("it is no object file for x86-64")
    }
    try readSections()
    for section in sections where section.type == Kind.relocations {
      try relocate(section)
    }
    for section in sections where section.type == Kind.symbols {
      for index in 0..<section.size / 24
      where try number(section.offset &+ index * 24 &+ 4, 1) & 0xf == Kind.function
        && text(section, index) == name
      {
        return try address(section, index)
      }
    }
    throw ProgramFileError("it has no function \(name)")
  }

  private func number(_ offset: Int, _ bytes: Int) throws -> Int {
    guard offset >= 0, offset <= file.count - bytes else { throw ProgramFileError("it ends early") }
    let value = (0..<bytes).reduce(UInt64(0)) { $0 | UInt64(file[offset + $1]) << UInt64(8 * $1) }
    return Int(truncatingIfNeeded: value)
  }

  private mutating func readSections() throws {
    let (start, size, count) = (try number(0x28, 8), try number(0x3a, 2), try number(0x3c, 2))
    for index in 0..<count {
      let at = start &+ index * size
      var section = Section(
        type: try number(at &+ 4, 4), flags: try number(at &+ 8, 8),
        offset: try number(at &+ 24, 8), size: try number(at &+ 32, 8),
        link: try number(at &+ 40, 4), info: try number(at &+ 44, 4),
        alignment: try number(at &+ 48, 8))
      let isLoaded = section.flags & Kind.allocated != 0 && section.type != Kind.unwinding
      if isLoaded { try place(&section) }
      sections.append(section)
    }
  }

  private mutating func place(_ section: inout Section) throws {
    let isZero = section.type == Kind.zeros
    guard (0...4096).contains(section.alignment), (0...1 << 24).contains(section.size),
      isZero || (section.offset >= 0 && section.offset <= file.count - section.size)
    else { throw ProgramFileError("a section is outside of it") }
    let alignment = max(section.alignment, 1)
    let gap = (alignment - image.count % alignment) % alignment
    image += [UInt8](repeating: 0, count: gap)
    section.place = image.count
    image += isZero
      ? [UInt8](repeating: 0, count: section.size)
      : Array(file[section.offset..<section.offset + section.size])
  }

  private mutating func relocate(_ relocations: Section) throws {
    guard sections.indices.contains(relocations.info), sections.indices.contains(relocations.link)
    else { throw ProgramFileError("relocations of nothing") }
    guard let base = sections[relocations.info].place else { return }
    for index in 0..<relocations.size / 24 {
      let at = relocations.offset &+ index * 24
      let (kind, symbol) = (try number(at &+ 8, 4), try number(at &+ 12, 4))
      guard kind == Kind.relative32 || kind == Kind.call32 else {
        throw ProgramFileError("it has a relocation of kind \(kind)")
      }
      let target = try address(sections[relocations.link], symbol)
      let place = base &+ (try number(at, 8))
      let value = target &+ (try number(at &+ 16, 8)) &- place
      guard place >= 0, place <= image.count - 4, let field = Int32(exactly: value) else {
        throw ProgramFileError("a relocation is outside of it")
      }
      withUnsafeBytes(of: field.littleEndian) { image.replaceSubrange(place..<place + 4, with: $0) }
    }
  }

  /// Where a symbol is in the image.
  private func address(_ symbols: Section, _ index: Int) throws -> Int {
    let at = symbols.offset &+ index * 24
    let section = try number(at &+ 6, 2)
    guard sections.indices.contains(section), section != 0, let place = sections[section].place
    else { throw ProgramFileError("it needs '\(try text(symbols, index))' from elsewhere") }
    return place &+ (try number(at &+ 8, 8))
  }

  private func text(_ symbols: Section, _ index: Int) throws -> String {
    guard sections.indices.contains(symbols.link) else { throw ProgramFileError("it has no names") }
    var at = sections[symbols.link].offset &+ (try number(symbols.offset &+ index * 24, 4))
    var bytes: [UInt8] = []
    while case let byte = try number(at, 1), byte != 0 {
      bytes.append(UInt8(byte))
      at &+= 1
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}
