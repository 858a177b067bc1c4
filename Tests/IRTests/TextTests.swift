import Foundation
import IR
import TestSupport
import Testing

@Suite struct TextTests {
  static let attack = """
    graph @attack {eps = 0.25, mode = "eval", none = floats[], steps = 3} {
      input %0 "w" parameter : f32[2,3]
      input %1 "x" data : f32[4,3]
      input %2 "y" data : i32[4]
      input %3 "x_adv" carried : f32[4,3]
      %4 = linear %3, %0 {epilogue = ""} : f32[4,2]
      %5, %6 = relu_bits %4 : f32[4,2], bits[4,2]
      %7 = cross_entropy %5, %2 : f32[4]
      %8 = mean %7 : f32[1]
      %9 = gradient %8, %3 : f32[4,3]
      %10 = sign_step %3, %9, %1 {eps = 0.25, high = 1.0, low = 0.0, step = 0.1} : f32[4,3]
      tap "fc \\"1\\"" %5
      loop 3 carry %3 from %1 next %10
      output "adversarial" %10
      output "w" %0 updates %0
    }

    """

  @Test func printsWhatItParses() throws {
    let graph = try Graph(parsing: Self.attack)
    #expect(graph.text == Self.attack)
    #expect(graph.taps.first?.name == "fc \"1\"")
    #expect(graph.header["none"] == .floats([]))
    try Verifier.verify(graph)
    #expect(try Graph(parsing: graph.text) == graph)
  }

  /// The example of docs/ir.md is a graph, printed as it stands there.
  @Test func documentedExample() throws {
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .deletingLastPathComponent().deletingLastPathComponent()
    let page = try String(contentsOf: root.appendingPathComponent("docs/ir.md"), encoding: .utf8)
    let blocks = page.components(separatedBy: "```")
    let example = try #require(blocks.first { $0.hasPrefix("\ngraph @") }).dropFirst()
    let graph = try Graph(parsing: String(example))
    try Verifier.verify(graph, level: .differentiated)
    #expect(graph.withStages() == graph)
    #expect(graph.text == example)
  }

  @Test func keepsStages() throws {
    var graph = try Graph(parsing: Self.attack)
    for index in graph.values.indices { graph.values[index].stage = .step }
    let text = graph.text
    #expect(text.contains(#"input %0 "w" parameter : f32[2,3] @step"#))
    #expect(text.contains("f32[4,2] @step, bits[4,2] @step"))
    #expect(try Graph(parsing: text) == graph)
  }

  @Test func numbersDoNotLoseABit() throws {
    let values: [Double] = [
      0.1, -0.0, 1e-5, 1 / 3, .pi, 1e300, .leastNonzeroMagnitude, .greatestFiniteMagnitude,
      .infinity, -.infinity, 2, -7, 1e16, 1e15, 123456789.125,
    ]
    var graph = Graph(name: "numbers")
    graph.header["list"] = .floats(values)
    for (index, value) in values.enumerated() { graph.header["v\(index)"] = .float(value) }
    graph.header["ints"] = .ints([.min, .max, 0, -1])
    graph.header["one"] = .int(1)
    let parsed = try Graph(parsing: graph.text)
    #expect(parsed == graph)
    #expect(parsed.header.floats("list").map(\.bitPattern) == values.map(\.bitPattern))
    graph.header = ["nan": .float(.nan), "nans": .floats([.nan, 1])]
    let nan = try Graph(parsing: graph.text).header
    #expect(nan.float("nan").isNaN && nan.floats("nans")[0].isNaN && nan.floats("nans")[1] == 1)
  }

  @Test(arguments: [
    "", "a b", "\"quoted\"", "back\\slash", "line\nbreak\ttab\r", "\u{0}\u{1f}\u{7f}", "émigré 图 👩‍👩‍👧",
    "// no comment", "{}[]%@", "graph", "true", "9lives", "\u{85}\u{2028}", "e\u{301}",
  ])
  func escapesNames(_ name: String) throws {
    let builder = GraphBuilder(name: name)
    let x = try builder.input(name, .f32(2), .data)
    builder.header(name, .string(name))
    builder.tap(name, x)
    builder.output(name, x)
    let parsed = try Graph(parsing: builder.graph.text)
    #expect(parsed == builder.graph)
    #expect(Array(parsed.name.unicodeScalars) == Array(name.unicodeScalars))
  }

  @Test func numbersGapsAnew() throws {
    let graph = try Graph(
      parsing: """
        graph @gaps {
          input %7 "x" data : f32[2] // a comment
          %100 = relu %7 : f32[2]
          output "y" %100 // another
        }
        """)
    #expect(graph.values.count == 2)
    #expect(graph.outputs[0].value == ValueID(1))
    #expect(graph.compacted() == graph)
  }

  @Test func infersTypesLeftOut() throws {
    let typed = "input %0 \"x\" data : f32[1,4,4,2] %1, %2 = max_pool %0 {kernel = [2, 2], "
    let end = "stride = [2, 2]} : f32[1,2,2,2], i32[1,2,2,2]"
    let graphs = try [end, "stride = [2, 2]}"].map {
      try Graph(parsing: "graph @g { \(typed)\($0) output \"y\" %1 }")
    }
    #expect(graphs[0] == graphs[1])
  }

  @Test func compactingDropsWhatNothingDefines() throws {
    var graph = try Graph(parsing: Self.attack)
    let compact = graph
    graph.values.insert(graph.values[0], at: 5)
    func moved(_ value: ValueID) -> ValueID {
      ValueID(value.index < 5 ? value.index : value.index + 1)
    }
    for index in graph.nodes.indices {
      graph.nodes[index].operands = graph.nodes[index].operands.map(moved)
      graph.nodes[index].results = graph.nodes[index].results.map(moved)
    }
    graph.taps[0].value = moved(graph.taps[0].value)
    graph.outputs[0].value = moved(graph.outputs[0].value)
    graph.loop?.carries[0].next = ValueID(11)
    #expect(graph.compacted() == compact)
    #expect(try Graph(parsing: graph.text) == compact)
  }

  static let errors: [(text: String, message: String)] = [
    ("", "line 1, column 1: expected 'graph', found the end of the text"),
    ("graph x {}", "line 1, column 7: expected '@', found 'x'"),
    ("graph @x {", "line 1, column 11: expected a node, 'input', 'tap', 'loop', 'output' or '}'"),
    ("graph @x {}\n}", "line 2, column 1: expected nothing after '}', found '}'"),
    ("graph @x {\n  output \"y\" %3\n}", "line 2, column 14: %3 is not defined above"),
    ("graph @x {\n  tap y %3\n}", "line 2, column 7: expected the tap's name in quotes, found 'y'"),
    (
      "graph @x {\n input %0 \"é\" weird : f32[1] }",
      "line 2, column 15: expected a role (parameter"
    ),
    ("graph @x {\n input %0 \"x\" data : f16[1] }", "line 2, column 22: expected a type such as"),
    ("graph @x {\n input %0 \"x\" data : f32[0] }", "line 2, column 22: f32[0] must have extents"),
    (
      "graph @x {\n input %0 \"x\" data : f32[9999999999,9999999999,9999999999] }",
      "line 2, column 22: f32[9999999999,9999999999,9999999999] has more than"
    ),
    ("graph @x {\n input %0 \"x\" data : f32[1] @never }", "line 2, column 30: expected a stage"),
    ("graph @x {\n input %0 \"x\" data : f32[1]\n %1 = rely %0 : f32[1] }", "did you mean 'relu'?"),
    (
      "graph @x {\n input %0 \"x\" data : f32[1]\n %1 = relu %0 : f32[2] }",
      "line 3, column 17: relu: %1 must be f32[1], is declared f32[2]"
    ),
    (
      "graph @x {\n input %0 \"x\" data : f32[1]\n %0 = relu %0 : f32[1] }",
      "line 3, column 2: %0 is defined twice"
    ),
    (
      "graph @x {\n input %0 \"x\" data : f32[1]\n %1, %2 = relu %0 : f32[1] }",
      "line 3, column 2: relu has 1 result, 2 are named"
    ),
    (
      "graph @x {\n input %0 \"x\" data : f32[1]\n %1 = relu %0 {slope = 1} : f32[1] }",
      "line 3, column 15: relu: unknown attribute 'slope'"
    ),
    (
      "graph @x {\n input %0 \"x\" data : f32[1]\n %1 = add %0 : f32[1] }",
      "line 3, column 7: add(f32[1]): expected 2 operands, got 1"
    ),
    ("graph @x {a = 1, a = 2} {}", "line 1, column 18: 'a' is given twice"),
    ("graph @x {a = 99999999999999999999} {}", "line 1, column 15: '99999999999999999999' is not"),
    ("graph @x {a = 1e999} {}", "line 1, column 15: '1e999' is not a number, or is out of range"),
    ("graph @x {a = \"b} {}", "line 1, column 15: the string is not closed on its line"),
    ("graph @x {a = \"\\q\"} {}", "line 1, column 16: unknown escape"),
    ("graph @x {a = \"\\u{d800}\"} {}", "line 1, column 16: unknown escape"),
    ("graph @x ;", "line 1, column 10: unexpected character"),
    ("graph @x {\n input %x", "line 2, column 8: expected a value such as %7"),
  ]

  @Test(arguments: errors) func namesThePlace(text: String, message: String) throws {
    let error = #expect(throws: IRError.self) { try Graph(parsing: text) }
    #expect(error?.message.contains(message) == true, "\(error?.message ?? "none")")
  }

  @Test func parsingTakesLinearTime() throws {
    func text(nodes: Int) throws -> String {
      let builder = GraphBuilder(name: "long")
      var x = try builder.input("x", .f32(2, 3, 3, 5), .data)
      for _ in 0..<nodes { x = try builder.emitOne("scale", [x], ["factor": .float(0.5)]) }
      builder.output("y", x)
      return builder.graph.text
    }
    func seconds(_ text: String) throws -> Double {
      let start = threadSeconds()
      try Verifier.verify(Graph(parsing: text))
      return threadSeconds() - start
    }
    let (short, long) = (try text(nodes: 1_000), try text(nodes: 10_000))
    let base = try (0..<3).map { _ in try seconds(short) }.min() ?? 0
    // Ten times the nodes; a quadratic parser would need a hundred times the time.
    #expect(try seconds(long) < 40 * base)
  }
}

@Suite struct PrintableTests {
  @Test(arguments: [
    ("plain, or \u{e4}\u{1f600}", "plain, or \u{e4}\u{1f600}"), ("a\nb\r\tc\u{1b}[0m", "a?b??c?[0m"),
    ("\u{85}\u{2028}\u{2029}\u{202e}", "????"), (String(repeating: "x", count: 9), "xxxxxxxx..."),
    ("12345678", "12345678"), ("", ""),
  ])
  func isOneLineThatControlsNothing(text: String, shown: String) {
    #expect(printable(text, limit: text.utf8.count == 9 ? 8 : 80) == shown)
  }
}
