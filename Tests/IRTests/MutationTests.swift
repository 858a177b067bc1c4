import IR
import TestSupport
import Testing

/// Thousands of damaged texts: an error or a graph, never a crash, and what still parses prints and
/// parses again.
@Suite struct MutationTests {
  private struct Generator {
    let stream: RandomStream
    var index = 0

    init(seed: UInt64) { stream = RandomStream(seed: seed, epoch: 0, purpose: .selection) }

    mutating func below(_ bound: Int) -> Int {
      index += 1
      return Int(stream.words(item: 0, index: index).0) % max(bound, 1)
    }
  }

  private func mutated(_ text: [UInt8], _ random: inout Generator) -> [UInt8] {
    var bytes = text
    for _ in 0...random.below(3) where !bytes.isEmpty {
      let start = random.below(bytes.count)
      let end = min(bytes.count, start + 1 + random.below(12))
      switch random.below(6) {
      case 0: bytes[start] ^= UInt8(1 << random.below(8))
      case 1: bytes.removeSubrange(start..<end)
      case 2: bytes.insert(contentsOf: bytes[start..<end], at: random.below(bytes.count))
      case 3: bytes[start] = [UInt8](#"{}[],:=@%"-.09 e/\#n"#.utf8)[random.below(18)]
      case 4: bytes.insert(contentsOf: Array("9223372036854775807".utf8), at: start)
      default: bytes.swapAt(start, end - 1)
      }
    }
    return bytes
  }

  private func survives(_ text: String) throws -> Bool {
    guard let graph = try? Graph(parsing: text) else { return false }
    #expect(try Graph(parsing: graph.text).text == graph.text)
    try? Verifier.verify(graph)
    return true
  }

  @Test(arguments: [1, 2, 3, 4]) func damagedTexts(_ seed: Int) throws {
    var random = Generator(seed: UInt64(seed))
    let builder = try sampleGraph()
    let texts = [TextTests.attack, builder.text].map { Array($0.utf8) }
    var parsed = 0
    for round in 0..<1500 {
      let bytes = mutated(texts[round % 2], &random)
      if try survives(String(decoding: bytes, as: UTF8.self)) { parsed += 1 }
    }
    // Some changes are harmless (a name, a number); most are not.
    #expect(parsed > 10 && parsed < 1200)
  }

  /// Every sample of every operation as one graph.
  private func sampleGraph() throws -> Graph {
    let builder = GraphBuilder(name: "samples")
    for definition in OpRegistry.all {
      for (number, sample) in definition.samples.enumerated() {
        let operands = try sample.operands.enumerated().map { index, type in
          try builder.input("\(definition.name).\(number).\(index)", type, .data)
        }
        try builder.emit(definition.name, operands, sample.attributes)
      }
    }
    return builder.graph
  }

  @Test func everyPrefix() throws {
    let text = TextTests.attack
    for length in 0..<text.count - 1 {
      #expect(throws: IRError.self) { try Graph(parsing: String(text.prefix(length))) }
    }
  }

  /// A graph whose parts are damaged in memory prints and is refused, or is a graph.
  @Test func damagedGraphs() throws {
    let good = try Graph(parsing: TextTests.attack)
    var random = Generator(seed: 9)
    for _ in 0..<1500 {
      var graph = good
      func value() -> ValueID { ValueID(random.below(16) - 2) }
      let node = random.below(graph.nodes.count)
      switch random.below(8) {
      case 0: graph.nodes[node].operands = [value(), value()]
      case 1: graph.nodes[node].results = [value()]
      case 2: graph.nodes.swapAt(node, random.below(graph.nodes.count))
      case 3: graph.inputs[random.below(4)].value = value()
      case 4: graph.outputs[0] = GraphOutput(name: "w", value: value(), updates: value())
      case 5: graph.values[random.below(11)].type.shape = [random.below(5) - 1, .max]
      case 6: graph.taps[0].value = value()
      default: graph.loop?.carries[0].next = value()
      }
      try? Verifier.verify(graph)
      #expect(!graph.text.isEmpty)
      _ = graph.compacted()
    }
  }
}
