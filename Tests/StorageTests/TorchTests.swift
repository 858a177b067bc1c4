import Foundation
import Testing

@testable import Storage

/// Files of PyTorch's making (Tests/Golden/checkpoints.py), and our own.
@Suite struct TorchTests {
  static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .appendingPathComponent("../Golden/checkpoints").path

  static let names = [
    "zip.pth", "legacy.th", "half.pth", "bfloat16.pth", "double.th", "views.pth", "views.th",
    "nested.pth", "nested.th", "protocol4.pth", "parameters.pth", "list.pth", "big.pth",
    "deflated.pth",
  ]

  static func golden(_ name: String) throws -> WeightFile {
    try WeightFile.read(folder + "/" + name)
  }

  @Test(arguments: names)
  func readsPyTorchsFiles(_ name: String) throws {
    let file = try Self.golden(name)
    let expected = try Safetensors.read(Self.folder + "/expected.safetensors").tensors
      .filter { $0.name.hasPrefix(name + "/") }
    #expect(file.tensors.count == expected.count && !expected.isEmpty)
    let found = Dictionary(uniqueKeysWithValues: file.tensors.map { ($0.name, $0) })
    for tensor in expected {
      let path = String(tensor.name.dropFirst(name.count + 1))
      #expect(found[path] == tensor.renamed(path), "\(path)")
    }
    #expect(file.isOrdered && file.format.hasPrefix("PyTorch"))
    #expect(file.format.hasSuffix("legacy") == name.hasSuffix(".th"))
  }

  @Test(arguments: ["nested.pth", "nested.th", "protocol4.pth"])
  func keepsWhatElseTheFileSays(_ name: String) throws {
    let fields = try Self.golden(name).fields
    let texts = Dictionary(uniqueKeysWithValues: fields.map { ($0.name, $0.value.text()) })
    let expected = [
      "epoch": "3", "arch": "\"net\"", "best": "0.5", "loss": "1.25", "done": "true",
      "args.lr": "0.1", "args.layers.1": "2", "nothing": "null", "history.loss.1": "2.0",
      "device": "\"cpu\"", "size.0": "1", "names.0": "\"a\"", "raw": "\"2 bytes\"",
      "optimizer.param_groups.0.momentum": "0.9",
    ]
    for (key, value) in expected { #expect(texts[key] == value, "\(key)") }
  }

  static let hostile = [
    (
      "system.pth",
      "refuses to call posix.system: weights are tensors, numbers, text and containers"
    ),
    ("system.th", "refuses to call posix.system"), ("eval.pth", "refuses to call builtins.eval"),
    ("module.pth", "refuses to call torch.nn.modules.container.Sequential"),
    ("array.pth", "refuses to call numpy._core.multiarray._reconstruct"),
    ("plain.pkl", "a pickle, but no checkpoint of PyTorch"),
  ]

  @Test(arguments: hostile)
  func refusesWhatCallsAnythingElse(_ name: String, _ expected: String) {
    let path = Self.folder + "/hostile/" + name
    let text = message { try WeightFile.read(path) }
    #expect(text.hasPrefix(path + ": ") && text.contains(expected), "\(text)")
  }

  /// `ours.pth` is what we write of `zip.pth`, and `resaved.pth` what PyTorch made of that.
  @Test func writesWhatPyTorchReads() throws {
    let tensors = try Self.golden("zip.pth").tensors
    let bytes = try TorchFile.archive(tensors, file: "f").encoded()
    #expect(FileManager.default.contents(atPath: Self.folder + "/ours.pth") == bytes)
    #expect(try Self.golden("ours.pth").tensors == tensors)
    #expect(try Self.golden("resaved.pth").tensors == tensors)
    let kinds = try Self.golden("views.th").tensors
    let again = try TorchFile.archive(kinds, file: "f").encoded()
    #expect(try WeightFile.decode(again, file: "f").tensors == kinds)
    #expect(
      message { try TorchFile.archive([tensors[0], tensors[0]], file: "f") }
        == "f: tensor 'conv1.weight': the name is taken")
    let wide = try StoredTensor(name: "w", type: .u64, shape: [1], bytes: Data(count: 8))
    #expect(
      message { try TorchFile.archive([wide], file: "f") }
        == "f: tensor 'w': PyTorch has no storage of type U64")
  }

  @Test func unknownFormatsAreNamed() throws {
    #expect(
      message { try WeightFile.decode(Data("GIF89a".utf8), file: "f.gif") }
        == "f.gif: weights of no known format, expected safetensors, PyTorch (pth)")
    #expect(
      message { try WeightFile.decode(Data(), file: "f.safetensors") }
        == "f.safetensors: 0 bytes, expected at least the 8 of the header's length")
    #expect(
      message { try WeightFile.decode(Data(), file: "f.pth") } == "f.pth: pickle, byte 0: truncated"
    )
    var writer = ZipWriter()
    try writer.add("x.npy", Data(), file: "f")
    #expect(
      message { try WeightFile.decode(writer.encoded(), file: "f.npz") }
        == "f.npz: a ZIP archive with 0 files data.pkl, expected one as in a checkpoint of PyTorch")
  }
}
