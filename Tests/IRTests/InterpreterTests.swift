import IR
import TestSupport
import Testing

@Suite struct InterpreterTests {
  /// x' = w * x + c from x0, carried three times; c is computed once.
  private let recurrence = """
    graph @recurrence {
      input %0 "w" parameter : f32[2]
      input %1 "x0" data : f32[2]
      input %2 "x" carried : f32[2]
      %3 = scale %1 {factor = 10.0} : f32[2]
      %4 = multiply %2, %0 : f32[2]
      %5 = add %4, %3 : f32[2]
      tap "before" %2
      tap "c" %3
      loop 3 carry %2 from %1 next %5
      output "x" %5
      output "w" %0
    }
    """

  @Test func loopsCarryTheirValues() throws {
    let interpreter = try Interpreter(Graph(parsing: recurrence))
    let inputs = ["w": [2.0, -1], "x0": [1.0, 3]]
    // 1 -> 12 -> 34 -> 78 and 3 -> 27 -> 3 -> 27.
    #expect(try interpreter.run(inputs: inputs) == ["x": [78, 27], "w": [2, -1]])
    #expect(try interpreter.taps(inputs: inputs) == ["before": [34, 3], "c": [10, 30]])
    let values = try interpreter.evaluate(inputs: inputs)
    #expect(values.count == 6)
    #expect(values[ValueID(4)] == [68, -3])
  }

  /// x' = 2 x from x0, twice, and once x' + x0 of what that leaves.
  @Test func whatFollowsTheLoopRunsOnce() throws {
    let graph = try Graph(
      parsing: """
        graph @after {
          input %0 "x0" data : f32[2]
          input %1 "x" carried : f32[2]
          %2 = scale %1 {factor = 2.0} : f32[2]
          %3 = after_loop %2 : f32[2]
          %4 = add %3, %0 : f32[2]
          %5 = add %4, %1 : f32[2]
          loop 2 carry %1 from %0 next %2
          output "sum" %4
          output "with the last start" %5
        }
        """)
    let outputs = try Interpreter(graph).run(inputs: ["x0": [1, 3]])
    #expect(outputs == ["sum": [5, 15], "with the last start": [7, 21]])
  }

  /// Two carried values change places in every step: all are handed over at once.
  @Test func carriedValuesAreHandedOverAtOnce() throws {
    let graph = try Graph(
      parsing: """
        graph @swap {
          input %0 "a0" data : f32[1]
          input %1 "b0" data : f32[1]
          input %2 "a" carried : f32[1]
          input %3 "b" carried : f32[1]
          %4 = scale %2 {factor = 1.0} : f32[1]
          loop 4 carry %2 from %0 next %3, %3 from %1 next %4
          output "a" %2
          output "b" %3
        }
        """)
    let outputs = try Interpreter(graph).run(inputs: ["a0": [1], "b0": [2]])
    #expect(outputs == ["a": [2], "b": [1]])
  }

  @Test func namesWrongInputs() throws {
    let interpreter = try Interpreter(Graph(parsing: recurrence))
    #expect(throws: IRError("input \"x0\" (f32[2]) is missing")) {
      try interpreter.run(inputs: ["w": [1, 2]])
    }
    #expect(throws: IRError("input \"x0\" (f32[2]) has 3 elements")) {
      try interpreter.run(inputs: ["w": [1, 2], "x0": [1, 2, 3]])
    }
  }

  @Test func refusesElementsThatTheTypeCannotHold() throws {
    let graph = try Graph(
      parsing: """
        graph @loss {
          input %0 "logits" data : f32[2,3]
          input %1 "labels" data : i32[2]
          input %2 "bits" data : bits[2,3]
          %3 = mask %0, %2 : f32[2,3]
          %4 = cross_entropy %3, %1 : f32[2]
          output "loss" %4
        }
        """)
    let interpreter = try Interpreter(graph)
    let logits = [0.0, 0, 0, 0, 0, 0]
    let bits = [1.0, 1, 1, 0, 0, 0]
    for label in [0.5, 1e10, .nan] {
      #expect(throws: IRError("input \"labels\" has an element that is no i32")) {
        try interpreter.run(inputs: ["logits": logits, "labels": [label, 0], "bits": bits])
      }
    }
    #expect(throws: IRError("input \"bits\" has an element that is no bits")) {
      try interpreter.run(inputs: [
        "logits": logits, "labels": [0, 0], "bits": logits.map { $0 + 2 },
      ])
    }
    let error = #expect(throws: IRError.self) {
      try interpreter.run(inputs: ["logits": logits, "labels": [0, 3], "bits": bits])
    }
    #expect(error?.message.contains("label 3.0 is not one of 3 classes") == true)
  }

  @Test func refusesGradientRequests() throws {
    let error = #expect(throws: IRError.self) {
      try Interpreter(Graph(parsing: TextTests.attack))
    }
    #expect(error?.message.contains("a gradient request remains") == true)
  }
}
