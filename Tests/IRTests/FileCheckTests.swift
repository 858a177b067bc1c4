import TestSupport
import Testing

/// The checker that the tests of passes rely on: it accepts, and above all it refuses.
@Suite struct FileCheckTests {
  private let text = "alpha  1\nbeta 2 two\ngamma 3\nbeta 4\n"

  @Test(arguments: [
    "// CHECK: alpha 1\n// CHECK-NEXT: beta\n// CHECK-SAME: two\n// CHECK: beta {{[0-9]+}}",
    "// CHECK-NOT: delta\n// CHECK: gamma\n// CHECK-NOT: gamma\n// CHECK: beta",
    "// CHECK-COUNT-2: beta\n// CHECK-NOT: beta",
    "// CHECK: alpha\n// CHECK-SAME: 1",
  ])
  func accepts(_ checks: String) throws {
    let check = try FileCheck(checks)
    #expect(!check.checks.isEmpty)
    try check.verify(text)
  }

  @Test(arguments: [
    "// CHECK: delta", "// CHECK: beta\n// CHECK: alpha", "// CHECK: alpha\n// CHECK-NEXT: gamma",
    "// CHECK: alpha\n// CHECK-SAME: beta", "// CHECK: alpha\n// CHECK-NOT: beta\n// CHECK: gamma",
    "// CHECK-NOT: gamma", "// CHECK-COUNT-3: beta", "// CHECK: {{[0-9]}}5", "// CHECK: [0-9]",
    "// CHECK: two\n// CHECK-SAME: two", "// CHECK-NOT: alpha\n// CHECK: beta",
  ])
  func refuses(_ checks: String) throws {
    let check = try FileCheck(checks)
    #expect(throws: SweepError.self) { try check.verify(text) }
  }

  @Test(arguments: ["// CHECK alpha", "// CHECK:", "// CHECK-NXT: a", "// CHECK-COUNT-0: a"])
  func refusesMalformedChecks(_ checks: String) {
    #expect(throws: SweepError.self) { try FileCheck(checks) }
  }

  @Test func comparisons() {
    #expect(relativeError([1, 2], [1, 2]) == 0)
    #expect(relativeError([1, 2.5], [1, 2]) == 0.25)
    #expect(relativeError([1], [1, 2]) == .infinity)
    #expect(relativeError([.nan], [1]) == .infinity)
    #expect(relativeError([.infinity], [.infinity]) == 0)
    #expect(nmse([3, 4], [3, 5]) == 1.0 / 34)
    #expect(
      differences(["a": [1], "b": [2]], ["a": [1], "c": [3]], tolerance: 0)
        == ["b is new", "c is missing"])
    var pairs: [String] = []
    #expect(throws: SweepError.self) {
      try withEvery(1...2, ["x", "y"]) { a, b in
        pairs.append("\(a)\(b)")
        if a == 2 { throw SweepError(message: "stop") }
      }
    }
    #expect(pairs == ["1x", "1y", "2x"])
  }
}
