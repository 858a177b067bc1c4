import Engine
import IR
import Models
import Testing

@Suite struct FreezeTests {
  /// Two training passes in one graph with some batch norms frozen: the second pass reads the
  /// frozen statistics, and they are not among the outputs.
  @Test func frozenStatisticsReachTheSecondPass() throws {
    let model = try Model(
      try ModelSpec("small-cnn:width=4"), imageShape: (8, 8, 1), classes: 10)
    let builder = GraphBuilder(name: "twice")
    let images = TensorType.f32(4, 8, 8, 1)
    let emitter = ForwardEmitter(builder: builder, model: model, mode: .train)
    let first = try emitter(builder.input("a", images, .data)).logits
    let second = try emitter(builder.input("b", images, .data)).logits
    builder.output("sum", try builder.emitOne("add", [first, second]))
    emitter.outputBufferUpdates()
    let request = CompileRequest(freeze: ["bn1.weight", "bn1.bias"])
    let graph = try Compiler.compile(builder.graph, request, options: .init(threads: 1)).graph
    let outputs = graph.outputs.map(\.name)
    #expect(outputs.contains("sum"))
    #expect(outputs.contains("bn2.running_mean"))
    #expect(!outputs.contains("bn1.running_mean"))
    #expect(!outputs.contains("bn1.running_var"))
  }
}
