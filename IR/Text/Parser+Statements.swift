// The lines of a graph's body.
extension Parser {
  mutating func statement() throws {
    switch token {
    case .identifier("input"): try input()
    case .identifier("output"): try output()
    case .identifier("tap"): try tap()
    case .identifier("loop"): try loop()
    case .identifier, .value: try node()
    default: throw expected("a node, 'input', 'tap', 'loop', 'output' or '}'")
    }
  }

  private mutating func input() throws {
    try advance()
    let start = offset
    let value = try value()
    let name = try string("the input's name")
    guard case .identifier(let word) = token, let role = InputRole(rawValue: word) else {
      throw expected("a role (\(InputRole.allCases.map(\.rawValue).joined(separator: ", ")))")
    }
    try advance()
    try expect(":", after: "the input's role")
    try define(value, as: try valueInfo(), at: start)
    result.inputs.append(GraphInput(value: value, name: name, role: role))
  }

  private mutating func output() throws {
    try advance()
    let name = try string("the output's name")
    let value = try definedValue()
    var updates: ValueID?
    if token == .identifier("updates") {
      try advance()
      updates = try definedValue()
    }
    result.outputs.append(GraphOutput(name: name, value: value, updates: updates))
  }

  private mutating func tap() throws {
    try advance()
    let name = try string("the tap's name")
    result.taps.append(Tap(name: name, value: try definedValue()))
  }

  private mutating func loop() throws {
    guard result.loop == nil else { throw error(at: offset, "a graph has at most one loop") }
    try advance()
    let steps = try int("the number of steps")
    try expect(keyword: "carry")
    let carries = try list { parser in
      let input = try parser.definedValue()
      try parser.expect(keyword: "from")
      let initial = try parser.definedValue()
      try parser.expect(keyword: "next")
      return Carry(input: input, initial: initial, next: try parser.definedValue())
    }
    result.loop = Loop(steps: steps, carries: carries)
  }

  mutating func node() throws {
    let start = offset
    var results: [ValueID] = []
    if case .value = token {
      results = try list { try $0.value() }
      try expect("=", after: "the results")
    }
    let nameOffset = offset
    let name = try word("an operation")
    let definition = try located(nameOffset) { try OpRegistry.definition(name) }
    var operands: [ValueID] = []
    if case .value = token { operands = try list { try $0.definedValue() } }
    let attributesOffset = offset
    let given = try accept("{") ? try attributesAfterBrace() : Attributes()
    let attributes = try located(attributesOffset) { try definition.complete(given) }
    let inferred = try located(nameOffset) {
      try definition.inferResults(operands.compactMap { known[$0.index]?.type }, attributes)
    }
    guard results.count == inferred.count else {
      let count = "\(inferred.count) result\(inferred.count == 1 ? "" : "s")"
      throw error(at: start, "\(definition.name) has \(count), \(results.count) are named")
    }
    try resultTypes(of: definition.name, results, inferred, at: start)
    result.nodes.append(
      Node(op: definition.name, operands: operands, results: results, attributes: attributes))
  }

  /// Reads the declared types and checks them against the inferred ones, which stand alone where
  /// the text declares none.
  private mutating func resultTypes(
    of op: String, _ results: [ValueID], _ inferred: [TensorType], at start: Int
  ) throws {
    guard token == .mark(":") else {
      for (value, type) in zip(results, inferred) {
        try define(value, as: ValueInfo(type: type, stage: nil), at: start)
      }
      return
    }
    for (index, (value, type)) in zip(results, inferred).enumerated() {
      try expect(index == 0 ? ":" : ",", after: index == 0 ? "the node" : "the type of a result")
      let typeOffset = offset
      let info = try valueInfo()
      guard info.type == type else {
        throw error(at: typeOffset, "\(op): \(value) must be \(type), is declared \(info.type)")
      }
      try define(value, as: info, at: start)
    }
  }

  mutating func define(_ value: ValueID, as info: ValueInfo, at start: Int) throws {
    guard known.updateValue(info, forKey: value.index) == nil else {
      throw error(at: start, "\(value) is defined twice")
    }
  }

  /// Runs a check of another part of the module and adds the place to its error.
  private func located<Result>(_ offset: Int, _ check: () throws -> Result) throws -> Result {
    do {
      return try check()
    } catch let error as IRError {
      throw self.error(at: offset, error.message)
    }
  }
}
