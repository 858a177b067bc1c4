import COpenBLAS
import Engine
import IR
import Testing

/// Matrix products against a library that shares no code with ours.
@Suite struct BlasTests {
  private static func random(_ type: TensorType, _ item: Int) -> [Float] {
    let stream = RandomStream(seed: 5, epoch: 0, purpose: .weights)
    return (0..<type.count).map {
      2 * Philox.uniform(stream.words(item: item, index: $0).0) - 1
    }
  }

  @Test(arguments: [(5, 7, 3), (128, 512, 10), (33, 300, 100)])
  func linearMatchesOpenBLAS(_ images: Int, _ inputs: Int, _ outputs: Int) throws {
    let (xType, wType) = (TensorType.f32(images, inputs), TensorType.f32(outputs, inputs))
    let (x, w) = (Self.random(xType, 0), Self.random(wType, 1))
    var expected = [Float](repeating: 0, count: images * outputs)
    openblas_set_num_threads(1)
    cblas_sgemm(
      CblasRowMajor, CblasNoTrans, CblasTrans, Int32(images), Int32(outputs), Int32(inputs), 1, x,
      Int32(inputs), w, Int32(inputs), 0, &expected, Int32(outputs))
    let builder = GraphBuilder(name: "linear")
    let y = try builder.emitOne(
      "linear",
      [builder.input("x", xType, .data), builder.input("w", wType, .parameter)])
    builder.output("y", y)
    let program = try Compiler.compile(builder.graph, options: .init(threads: 2)).program
    let store = TensorStore()
    try store.set("x", xType, x)
    try store.set("w", wType, w)
    let executable = try Executable(program, store: store)
    executable.run()
    expectClose(
      try executable.floats("y").map(Double.init), expected.map(Double.init), "linear",
      tolerance: 1e-5)
  }
}
