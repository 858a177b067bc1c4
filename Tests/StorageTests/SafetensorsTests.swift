import Foundation
import TestSupport
import Testing

@testable import Storage

@Suite struct SafetensorsTests {
  static func sample() throws -> Safetensors {
    Safetensors(
      tensors: [
        try StoredTensor(
          name: "z.weight", shape: [2, 3], values: [1, -2, 3.5, 0, .infinity, 6] as [Float]),
        try StoredTensor(name: "bytes", shape: [3], values: [7, 8, 9] as [UInt8]),
        try StoredTensor(name: "a\"\\ü\n", shape: [], values: [42] as [Int64]),
        try StoredTensor(name: "empty", shape: [0, 4], values: [] as [Float]),
      ], metadata: ["format": "pt", "clat": "{\"a\":\"b\"}"])
  }

  @Test func roundTripIsExactAndDeterministic() throws {
    let folder = try TestFolder()
    let sample = try Self.sample()
    try sample.write(to: folder.file("a.safetensors"))
    let back = try Safetensors.read(folder.file("a.safetensors"))
    #expect(back.tensors.map(\.name) == ["a\"\\ü\n", "empty", "z.weight", "bytes"])
    #expect(back.byName == sample.byName && back.metadata == sample.metadata)
    #expect(try back["z.weight"]?.floats() == [1, -2, 3.5, 0, .infinity, 6])
    #expect(try back["bytes"]?.integers() == [7, 8, 9] && back["no"] == nil)
    let shuffled = Safetensors(tensors: sample.tensors.reversed(), metadata: sample.metadata)
    #expect(try shuffled.encoded() == sample.encoded())
    #expect(
      try FileManager.default.contents(atPath: folder.file("a.safetensors")) == sample.encoded())
    let length = try sample.encoded().withUnsafeBytes { $0.loadUnaligned(as: UInt64.self) }
    #expect(length % 8 == 0 && folder.names == ["a.safetensors"])
  }

  @Test func narrowTypesAreWidened() throws {
    func floats(_ type: StoredType, _ bits: [UInt16]) throws -> [Float] {
      try StoredTensor(
        name: "t", type: type, shape: [bits.count], bytes: bits.withUnsafeBytes { Data($0) }
      ).floats()
    }
    #expect(
      try floats(.f16, [0x3c00, 0xc000, 0x7bff, 0x0001, 0x8000, 0x7c00, 0x3555])
        == [1, -2, 65504, 0x1p-24, -0.0, .infinity, 0.33325195])
    #expect(try floats(.f16, [0x8000])[0].sign == .minus && floats(.f16, [0x7e00])[0].isNaN)
    #expect(try floats(.bf16, [0x3f80, 0xc040, 0x7f80]) == [1, -3, .infinity])
    let doubles = try StoredTensor(name: "d", shape: [2], values: [0.1, 1e300])
    #expect(try doubles.floats() == [0.1, .infinity])
    #expect(
      message { try StoredTensor(name: "i", shape: [1], values: [1] as [Int32]).floats() }
        == "tensor 'i': type I32, expected floating point")
    #expect(
      message { try doubles.integers() } == "tensor 'd': type F64, expected integer")
    #expect(
      message { try StoredTensor(name: "s", shape: [2, 2], values: [1] as [Float]) }
        == "tensor 's': 4 bytes, expected F32 of shape [2, 2]")
  }

  static let wrong: [(String, Int, String)] = [
    ("[]", 0, "header: expected a JSON object"),
    (#"{"a": 1}"#, 0, "header: 'a': "),
    (#"{"a": {"dtype": "F32", "shape": [1]}}"#, 4, "header: "),
    (#"{"__metadata__": {"a": 1}}"#, 0, "header: '__metadata__' 'a': "),
    (
      #"{"a": {"dtype": "F8", "shape": [1], "data_offsets": [0, 1]}}"#, 1,
      "tensor 'a': dtype 'F8', expected one of F64, F32"
    ),
    (
      #"{"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 4]}}"#, 4,
      "tensor 'a': 4 bytes, expected 8 for F32 of shape [2]"
    ),
    (
      #"{"a": {"dtype": "F32", "shape": [-1], "data_offsets": [0, 4]}}"#, 4,
      "tensor 'a': shape [-1] is not possible"
    ),
    (
      #"{"a": {"dtype": "F32", "shape": [4294967296, 4294967296], "data_offsets": [0, 4]}}"#, 4,
      "tensor 'a': shape [4294967296, 4294967296] is not possible"
    ),
    (
      #"{"a": {"dtype": "U8", "shape": [2], "data_offsets": [2, 0]}}"#, 4,
      "tensor 'a': data_offsets [2, 0], expected 2"
    ),
    (
      #"{"a": {"dtype": "U8", "shape": [4], "data_offsets": [0, 4]}}"#, 3,
      "truncated: 3 bytes of data, expected 4"
    ),
    (
      #"{"a": {"dtype": "U8", "shape": [4], "data_offsets": [0, 4]}}"#, 9,
      "5 bytes behind the last tensor"
    ),
    (
      #"{"a": {"dtype": "U8", "shape": [4], "data_offsets": [0, 4]}, "b": {"dtype": "U8", "#
        + #""shape": [4], "data_offsets": [2, 6]}}"#, 6,
      "tensor 'b': starts at byte 2 of the data, expected 4"
    ),
    (
      #"{"a": {"dtype": "U8", "shape": [1], "data_offsets": [1, 2]}}"#, 2,
      "tensor 'a': starts at byte 1 of the data, expected 0"
    ),
    (
      #"{"a": {"dtype": "U8", "shape": [1], "data_offsets": [0, 1]}, "\u0061": {"dtype": "U8", "#
        + #""shape": [1], "data_offsets": [0, 1]}}"#, 1, "header: 'a' stands twice"
    ),
  ]

  @Test(arguments: wrong)
  func badHeadersAreNamed(header: String, data: Int, expected: String) {
    let text = message { try Safetensors.decode(safetensors(header, data: data), file: "f") }
    #expect(text.hasPrefix("f: " + expected), "\(text)")
    #expect(!text.contains("\n"))
  }

  @Test func badLengthsAreNamed() throws {
    #expect(
      message { try Safetensors.decode(Data([1, 2]), file: "f") }
        == "f: 2 bytes, expected at least the 8 of the header's length")
    #expect(
      message { try Safetensors.decode(Data(repeating: 0xff, count: 16), file: "f") }
        == "f: header of 18446744073709551615 bytes, expected at most 100000000")
    #expect(
      message { try Safetensors.decode(Data([99, 0, 0, 0, 0, 0, 0, 0, 123]), file: "f") }
        == "f: truncated: header of 99 bytes, only 1 are there")
    #expect(message { try Safetensors.read("/no/such") } == "/no/such: not found")
    #expect(message { try Safetensors.read("/dev/zero") } == "/dev/zero: not a regular file")
    let tensor = try StoredTensor(name: "a", shape: [1], values: [1] as [Float])
    #expect(
      message { try Safetensors(tensors: [tensor, tensor]).encoded() }
        == "safetensors: tensor 'a': the name is taken")
    #expect(
      message { try Safetensors(tensors: [tensor.renamed("__metadata__")]).encoded() }
        == "safetensors: tensor '__metadata__': the name is taken")
  }

  /// Thousands of damaged files: each is refused with one line or is a whole file.
  @Test func damageNeverCrashes() throws {
    let good = try Self.sample().encoded()
    let headerEnd = good.count - 35
    let typed = Array("0123456789{}[]\":,ueE-\\".utf8)
    var random = Mutations(seed: 1)
    var refused = 0
    for round in 0..<4_000 {
      var bytes = good
      if round % 3 == 0 {
        bytes = bytes.prefix(Int.random(in: 0...bytes.count, using: &random))
      }
      for _ in 0..<(round % 5) where !bytes.isEmpty {
        let place = Int.random(in: 0..<min(bytes.count, headerEnd), using: &random)
        switch round % 2 {
        case 0: bytes[place] ^= 1 << UInt8.random(in: 0...7, using: &random)
        default: bytes[place] = typed[Int.random(in: typed.indices, using: &random)]
        }
      }
      do {
        let file = try Safetensors.decode(bytes, file: "f")
        for tensor in file.tensors {
          #expect(StoredTensor.byteCount(tensor.type, tensor.shape) == tensor.bytes.count)
          if [.f32, .f64, .f16, .bf16].contains(tensor.type) { _ = try tensor.floats() }
        }
        _ = try file.encoded()
      } catch {
        refused += 1
        let text = String(describing: error)
        #expect(error is StorageError && text.hasPrefix("f: ") && !text.contains("\n"), "\(text)")
      }
    }
    #expect(refused > 2_000 && refused < 4_000)
  }

  /// Headers nested or long beyond reason are refused without exhausting the stack.
  @Test func deepNestingIsRefused() {
    let deep = "{\"a\":" + String(repeating: "[", count: 100_000)
    #expect(
      message { try Safetensors.decode(safetensors(deep, data: 0), file: "f") }.hasPrefix("f: "))
  }

  static let data = ProcessInfo.processInfo.environment["CLAT_WEIGHTS"]

  @Test(.enabled(if: data != nil, "CLAT_WEIGHTS is not set: published weights are not read"))
  func publishedWeightsRoundTrip() throws {
    let path = (Self.data ?? "") + "/resnet20-cifar10.safetensors"
    let file = try Safetensors.read(path)
    #expect(file["conv1.weight"]?.shape == [16, 3, 3, 3])
    #expect(try Safetensors.decode(file.encoded(), file: "copy").byName == file.byName)
  }
}
