extension Graph {
  /// Reads the text form (docs/ir.md), checking every node's operands, attributes and types on the
  /// way.
  ///
  /// Values keep their numbers if these have no gaps; otherwise they are numbered anew in
  /// definition order.
  ///
  /// - Throws: IRError naming line and column and what was expected there.
  public init(parsing text: String) throws {
    var parser = try Parser(text)
    self = try parser.graph()
  }
}

/// A recursive-descent parser with one token of lookahead, linear in the text's length.
struct Parser {
  private var lexer: Lexer
  private(set) var token: Token
  /// Where `token` begins.
  private(set) var offset: Int
  var result = Graph(name: "")
  /// What is known of the values defined so far, by their numbers in the text.
  var known: [Int: ValueInfo] = [:]
  var inRegion = false

  init(_ text: String) throws {
    lexer = Lexer(text)
    (token, offset) = try lexer.next()
  }

  mutating func graph() throws -> Graph {
    try expect(keyword: "graph")
    try expect("@")
    result.name = try word("the graph's name")
    try expect("{")
    if try headerFollows() {
      result.header = try attributesAfterBrace()
      try expect("{")
    }
    while token != .mark("}") { try statement() }
    try advance()
    guard token == .end else { throw expected("nothing after '}'") }
    return numbered()
  }

  /// Whether `name =` follows: the header's first entry, where a statement cannot begin so.
  private func headerFollows() throws -> Bool {
    switch token {
    case .identifier, .string:
      var ahead = self
      try ahead.advance()
      return ahead.token == .mark("=")
    default: return false
    }
  }

  func numbered() -> Graph {
    var graph = result
    if known.keys.max() ?? -1 == known.count - 1 {
      graph.values = (0..<known.count).compactMap { known[$0] }
      return graph
    }
    let order = graph.inputs.map(\.value) + graph.nodes.flatMap(\.results)
    var number: [ValueID: ValueID] = [:]
    for value in order {
      number[value] = ValueID(graph.values.count)
      if let info = known[value.index] { graph.values.append(info) }
    }
    graph.mapValues { number[$0] ?? $0 }
    return graph
  }
}

// Tokens.
extension Parser {
  mutating func advance() throws { (token, offset) = try lexer.next() }

  /// The error that something else stands where `what` should.
  func expected(_ what: String) -> IRError {
    lexer.error(at: offset, "expected \(what), found \(token.description)")
  }

  func error(at offset: Int, _ message: String) -> IRError { lexer.error(at: offset, message) }

  mutating func expect(_ mark: Character, after what: String = "") throws {
    guard token == .mark(mark) else {
      throw expected("'\(mark)'\(what.isEmpty ? "" : " after \(what)")")
    }
    try advance()
  }

  mutating func expect(keyword: String) throws {
    guard token == .identifier(keyword) else { throw expected("'\(keyword)'") }
    try advance()
  }

  /// Consumes the mark if it comes next.
  mutating func accept(_ mark: Character) throws -> Bool {
    guard token == .mark(mark) else { return false }
    try advance()
    return true
  }

  /// An identifier or a string.
  mutating func word(_ what: String) throws -> String {
    switch token {
    case .identifier(let text), .string(let text):
      try advance()
      return text
    default: throw expected(what)
    }
  }

  mutating func string(_ what: String) throws -> String {
    guard case .string(let text) = token else { throw expected("\(what) in quotes") }
    try advance()
    return text
  }

  mutating func int(_ what: String) throws -> Int {
    guard case .int(let value) = token else { throw expected(what) }
    try advance()
    return value
  }

  mutating func value() throws -> ValueID {
    guard case .value(let index) = token else { throw expected("a value such as %7") }
    try advance()
    return ValueID(index)
  }

  /// A value that is defined above.
  mutating func definedValue() throws -> ValueID {
    let start = offset
    let value = try value()
    guard known[value.index] != nil else {
      throw error(at: start, "\(value) is not defined above")
    }
    return value
  }

  /// One or more, separated by commas.
  mutating func list<Element>(_ element: (inout Parser) throws -> Element) throws -> [Element] {
    var elements = [try element(&self)]
    while try accept(",") { elements.append(try element(&self)) }
    return elements
  }
}
