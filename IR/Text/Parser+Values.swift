// Types and attributes.
extension Parser {
  /// `f32[2,3] @batch`
  mutating func valueInfo() throws -> ValueInfo {
    let type = try tensorType()
    guard try accept("@") else { return ValueInfo(type: type, stage: nil) }
    guard case .identifier(let name) = token, let stage = Stage(name: name[...]) else {
      throw expected("a stage (\(Stage.allCases.map(\.name).joined(separator: ", ")))")
    }
    try advance()
    return ValueInfo(type: type, stage: stage)
  }

  private mutating func tensorType() throws -> TensorType {
    let start = offset
    guard case .identifier(let name) = token, let dtype = DType(rawValue: name) else {
      throw expected(
        "a type such as f32[2,3] (\(DType.allCases.map(\.rawValue).joined(separator: ", ")))")
    }
    try advance()
    try expect("[", after: name)
    let shape = try list { try $0.int("an extent") }
    try expect("]", after: "the extents")
    let type = TensorType(dtype, shape)
    do {
      try type.check()
    } catch let error as IRError {
      throw self.error(at: start, error.message)
    }
    return type
  }

  /// `name = value, name = value}`
  mutating func attributesAfterBrace() throws -> Attributes {
    var attributes = Attributes()
    repeat {
      let start = offset
      let name = try word("an attribute's name")
      guard attributes[name] == nil else { throw error(at: start, "'\(name)' is given twice") }
      try expect("=", after: "'\(name)'")
      attributes[name] = try attribute()
    } while try accept(",")
    try expect("}", after: "the attributes")
    return attributes
  }

  private mutating func attribute() throws -> Attribute {
    switch token {
    case .identifier("true"), .identifier("false"):
      let value = token == .identifier("true")
      try advance()
      return .bool(value)
    case .identifier("floats"):
      try advance()
      try expect("[")
      try expect("]")
      return .floats([])
    case .string(let text):
      try advance()
      return .string(text)
    case .mark("["): return try listAttribute()
    case .mark("("): return .region(try region())
    default: return try number("a value")
    }
  }

  private mutating func listAttribute() throws -> Attribute {
    try advance()
    if try accept("]") { return .ints([]) }
    let entries = try list { try $0.number("a number") }
    try expect("]", after: "the numbers")
    let ints = entries.compactMap { if case .int(let value) = $0 { value } else { nil } }
    if ints.count == entries.count { return .ints(ints) }
    return .floats(
      entries.map { entry in
        switch entry {
        case .int(let value): Double(value)
        case .float(let value): value
        default: .nan
        }
      })
  }

  /// `(%0 : f32[2,3]) { %1 = silu %0 : f32[2,3] yield %1 }`; its values are numbered on their own.
  private mutating func region() throws -> Region {
    guard !inRegion else { throw error(at: offset, "a region cannot be part of a region") }
    let outer = (result, known)
    defer { (result, known, inRegion) = (outer.0, outer.1, false) }
    (result, known, inRegion) = (Graph(name: "region"), [:], true)
    try advance()
    let parameters = try list { parser in
      let start = parser.offset
      let value = try parser.value()
      try parser.expect(":", after: "the parameter")
      try parser.define(value, as: ValueInfo(type: try parser.tensorType(), stage: nil), at: start)
      return value
    }
    try expect(")", after: "the parameters")
    try expect("{", after: "the parameters")
    while token != .identifier("yield") {
      guard token != .end else { throw expected("a node or 'yield'") }
      try node()
    }
    try advance()
    let results = try list { try $0.definedValue() }
    try expect("}", after: "what the region yields")
    result.inputs = parameters.map { GraphInput(value: $0, name: "\($0)", role: .data) }
    result.outputs = results.map { GraphOutput(name: "\($0)", value: $0) }
    return Region(numbered())
  }

  private mutating func number(_ what: String) throws -> Attribute {
    let attribute: Attribute
    switch token {
    case .int(let value): attribute = .int(value)
    case .float(let value): attribute = .float(value)
    case .identifier("inf"): attribute = .float(.infinity)
    case .identifier("nan"): attribute = .float(.nan)
    default: throw expected(what)
    }
    try advance()
    return attribute
  }
}
