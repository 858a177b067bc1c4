import Foundation
import Testing

@testable import Storage

/// Finding a network's tensors in files that name them otherwise.
@Suite struct StateDictTests {
  /// Names and shapes of a small residual network.
  static let slots: [StateDict.Slot] = [
    ("conv1.weight", [4, 3, 3, 3]), ("bn1.weight", [4]), ("bn1.bias", [4]),
    ("bn1.running_mean", [4]), ("bn1.running_var", [4]),
    ("layer1.0.conv1.weight", [8, 4, 3, 3]), ("layer1.0.shortcut.0.weight", [8, 4, 1, 1]),
    ("linear.weight", [2, 8]), ("linear.bias", [2]),
  ].map { .init(name: $0.0, shape: $0.1) }

  /// A tensor whose elements are all `value`.
  static func tensor(_ name: String, _ shape: [Int], _ value: Float) throws -> StoredTensor {
    let values = [Float](repeating: value, count: shape.reduce(1, *))
    return try StoredTensor(name: name, shape: shape, values: values)
  }

  /// A file with the network's tensors under other names; tensor i has the value first + i.
  static func file(
    first: Float = 0, isOrdered: Bool = true, _ rename: (String) -> String = { $0 }
  ) throws -> WeightFile {
    var file = WeightFile(file: "f", format: "memory", isOrdered: isOrdered)
    file.tensors = try slots.enumerated().map {
      try tensor(rename($1.name), $1.shape, first + Float($0))
    }
    return file
  }

  static func load(_ file: WeightFile, part: String? = nil) throws -> StateDict {
    try StateDict(file, for: slots, network: "net", part: part)
  }

  /// The first element of every tensor tells where it came from.
  static func expectAll(
    _ found: StateDict, first: Float = 0, sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    #expect(found.tensors.map(\.name) == slots.map(\.name), sourceLocation: sourceLocation)
    let values = try found.tensors.map { try $0.floats()[0] }
    #expect(
      values == slots.indices.map { first + Float($0) }, sourceLocation: sourceLocation)
  }

  @Test(arguments: [
    "", "module.", "_orig_mod.", "model.", "state_dict.", "state_dict.module._orig_mod.", "net.1.",
    "anything.at.all.",
  ])
  func prefixesAreFound(_ prefix: String) throws {
    var file = try Self.file(isOrdered: false) { prefix + $0 }
    file.tensors.append(try Self.tensor(prefix + "bn1.num_batches_tracked", [], 1))
    let found = try Self.load(file)
    try Self.expectAll(found)
    #expect(found.notes.isEmpty)
  }

  @Test func otherWordsAreKnown() throws {
    let found = try Self.load(
      try Self.file(isOrdered: false) { name in
        let words = ["linear": "fc", "shortcut": "downsample", "conv1": "_orig_mod.conv1"]
        return "module."
          + name.split(separator: ".").map { words[String($0)] ?? String($0) }
          .joined(separator: ".")
      })
    try Self.expectAll(found)
    #expect(
      found.notes == [
        "f: 5 of 9 tensors found by other names: conv1.weight is '_orig_mod.conv1.weight' and 4 more"
      ])
  }

  @Test func orderAndShapesServeWhereNamesDoNot() throws {
    func rename(_ name: String) -> String {
      "stem.block_\(name.split(separator: ".").dropLast().joined(separator: "_"))."
        + (name.split(separator: ".").last ?? "")
    }
    var file = try Self.file(rename)
    file.tensors.append(try Self.tensor("other.weight", [1], 0))
    let found = try Self.load(file)
    try Self.expectAll(found)
    #expect(found.notes.count == 1 && found.notes[0].contains("by their order and shapes"))
    // Not where the file keeps no order, the shapes differ, or the kinds do.
    file.isOrdered = false
    #expect(message { try Self.load(file) }.contains("9 missing"))
    file.isOrdered = true
    file.tensors.swapAt(1, 5)
    #expect(message { try Self.load(file) }.contains("9 missing"))
    file.tensors.swapAt(1, 5)
    file.tensors.swapAt(1, 2)
    #expect(message { try Self.load(file) }.contains("9 missing"))
    // A name that is known must not end elsewhere.
    var wrong = try Self.file { $0 == "bn1.weight" ? "a.weight" : $0 }
    wrong.tensors[2] = wrong.tensors[2].renamed("bn1.running_mean")
    wrong.tensors[3] = wrong.tensors[3].renamed("bn1.bias")
    #expect(message { try Self.load(wrong) }.contains("1 missing: bn1.weight (perhaps 'a.weight')"))
  }

  @Test func everythingThatDoesNotFitIsListed() throws {
    var file = try Self.file { "module." + ($0 == "bn1.bias" ? "bn2.bias" : $0) }
    file.tensors[7] = try Self.tensor("module.linear.weight", [3, 8], 0)
    file.tensors.append(try Self.tensor("module.extra\u{1b}.weight", [1], 0))
    #expect(
      message { try Self.load(file) }
        == "f: does not fit net: under 'module.' 1 missing: bn1.bias (perhaps 'bn2.bias'); "
        + "1 misshapen: linear.weight is [3, 8], expected [2, 8]; "
        + "2 unexpected: bn2.bias, extra?.weight")
    #expect(
      message { try Self.load(WeightFile(file: "f", [])) }.hasPrefix(
        "f: does not fit net: 9 missing: conv1.weight, bn1.weight"))
    var integers = try Self.file()
    integers.tensors[1] = try StoredTensor(
      name: "bn1.weight", shape: [4], values: [1, 2, 3, 4] as [Int64])
    #expect(
      message { try Self.load(integers) }
        == "f: tensor 'bn1.weight': type I64, expected floating point")
  }

  @Test func averagesAreTakenByChoice() throws {
    var file = try Self.file(first: 100) { "ema_model.module." + $0 }
    file.tensors += try Self.file { "state_dict.module." + $0 }.tensors
    file.tensors.append(try Self.tensor("optimizer.state.0.momentum_buffer", [4], 0))
    try Self.expectAll(try Self.load(file))
    #expect(
      try Self.load(file).notes == [
        "f: also holds ema_model.module; to take it: f:ema_model.module"
      ])
    try Self.expectAll(try Self.load(file, part: "ema_model"), first: 100)
    try Self.expectAll(try Self.load(file, part: "ema_model.module"), first: 100)
    #expect(
      message { try Self.load(file, part: "swa") }
        == "f: holds no 'swa', it holds ema_model, optimizer, state_dict")
    // Beside the network itself.
    var beside = try Self.file()
    beside.tensors += try Self.file(first: 100) { "ema." + $0 }.tensors.dropLast()
    try Self.expectAll(try Self.load(beside))
  }

  @Test func normalisationsAndUnusedBlocksAreKnown() throws {
    var file = try Self.file { "1." + $0 }
    let constants = [("0.mean", [0.5, 0.25, 0.125]), ("0.std", [0.25, 0.5, 0.75])]
    file.tensors =
      try constants.map {
        try StoredTensor(name: $0.0, shape: [1, 3, 1, 1], values: $0.1.map(Float.init))
      } + file.tensors
    file.tensors.append(try Self.tensor("1.sub_block1.layer.0.conv1.weight", [4, 4, 3, 3], 0))
    let found = try Self.load(file)
    try Self.expectAll(found)
    #expect(
      found.notes == [
        "f: 1 tensors of sub_block1 are not used",
        "f: holds a normalisation, which is not part of the network here: give it as "
          + "--mean 0.5,0.25,0.125 --std 0.25,0.5,0.75",
      ])
  }

  @Test func partsOfAFile() throws {
    let nested = try TorchTests.golden("nested.pth")
    #expect(nested.parts.map(\.name) == ["state_dict", "ema", "optimizer", ""])
    let network = try nested.network()
    #expect(network.tensors.first?.name == "conv1.weight" && network.tensors.count == 8)
    #expect(
      network.leftOut == [
        "7 tensors of ema", "5 tensors of optimizer", "1 tensors of rng",
      ])
    #expect(try nested.network(part: "ema").tensors.map(\.name).first == "conv1.weight")
    #expect(try nested.network(part: "ema").tensors.count == 7)
    let plain = try TorchTests.golden("zip.pth")
    #expect(try plain.network().tensors == plain.tensors && plain.parts.map(\.name) == [""])
    #expect(
      message { try WeightFile(file: "f", []).network() } == "f: holds no tensors of a network")
  }

  @Test func sourcesNameParts() throws {
    let folder = try TestFolder()
    let path = try folder.write("a:b.pth", Data())
    #expect(WeightSource(path) == WeightSource(path: path))
    #expect(WeightSource(path + ":ema").part == "ema")
    #expect(WeightSource("/no/such:ema").path == "/no/such:ema")
    #expect(WeightSource(path + ":ema").description == path + ":ema")
    #expect(
      message { try WeightSource("/no/such").read() } == "/no/such: not found, expected weights")
    #expect(
      message { try WeightSource(folder.path).read() }
        == "\(folder.path): a folder without a checkpoint, expected weights")
    let store = CheckpointStore(folder: folder.path + "/checkpoints")
    let weights = try Self.file().tensors
    try store.save(Checkpoint(epoch: 1, step: 2, model: weights, state: ["model": "net"]))
    let file = try WeightSource(folder.path).read()
    try Self.expectAll(try Self.load(file))
    #expect(file.file.hasSuffix("epoch-00001-step-000002.safetensors"))
  }
}
