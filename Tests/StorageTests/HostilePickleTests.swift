import Foundation
import TestSupport
import Testing

@testable import Storage

/// What pickles are put together from: operations, bytes, text.
protocol PicklePart {
  var bytes: Data { get }
}

extension PickleOperation: PicklePart {
  var bytes: Data { Data([rawValue]) }
}

extension String: PicklePart {
  var bytes: Data { Data(utf8) }
}

extension Data: PicklePart {
  var bytes: Data { self }
}

extension [Int]: PicklePart {
  var bytes: Data { Data(map(UInt8.init)) }
}

/// Pickles that nobody's `torch.save` writes: refused in one line, in bounded time and memory.
@Suite struct HostilePickleTests {
  static func pickle(_ parts: any PicklePart...) -> Data {
    parts.reduce(into: Data()) { $0 += $1.bytes }
  }

  /// An archive with this pickle and one storage of 4 floats, read.
  static func read(_ pickle: Data) -> String {
    message {
      var writer = ZipWriter()
      try writer.add("a/data.pkl", pickle, file: "f")
      try writer.add("a/data/0", Data(count: 16), file: "f")
      return try WeightFile.decode(writer.encoded(), file: "f")
    }
  }

  /// The pickle of a dictionary with one tensor `t`.
  static func tensor(offset: Int32 = 0, _ shape: [Int32], _ strides: [Int32], count: Int32 = 4)
    -> Data
  {
    func number(_ value: Int32) -> Data {
      pickle(PickleOperation.binint, withUnsafeBytes(of: value.littleEndian) { Data($0) })
    }
    func tuple(_ values: [Int32]) -> Data {
      pickle(PickleOperation.mark, values.reduce(into: Data()) { $0 += number($1) })
        + pickle(PickleOperation.tuple)
    }
    func text(_ text: String) -> Data {
      pickle(PickleOperation.shortBinunicode, [text.utf8.count], text)
    }
    return pickle(
      PickleOperation.emptyDict, text("t"), PickleOperation.global,
      "torch._utils\n_rebuild_tensor_v2\n", PickleOperation.mark, PickleOperation.mark,
      text("storage"), PickleOperation.global, "torch\nFloatStorage\n", text("0"), text("cpu"),
      number(count), PickleOperation.tuple, PickleOperation.binpersid, number(offset),
      tuple(shape), tuple(strides), PickleOperation.tuple, PickleOperation.reduce,
      PickleOperation.setItem, PickleOperation.stop)
  }

  @Test func tensorsStayWithinTheirStorages() {
    #expect(Self.read(Self.tensor([2, 2], [2, 1])) == "no error")
    #expect(Self.read(Self.tensor([0, 99], [99, 1])) == "no error")
    let reaching = "f: tensor 't': shape "
    for (offset, shape, strides) in [
      (0, [5], [1]), (1, [4], [1]), (0, [2, 2], [3, 1]), (-1, [1], [1]), (0, [2], [-1]),
      (0, [-1], [1]), (.max, [.max, 2], [.max, .max]), (0, [.max, .max, .max], [0, 0, 0]),
    ] as [(Int32, [Int32], [Int32])] {
      let text = Self.read(Self.tensor(offset: offset, shape, strides))
      #expect(text.hasPrefix(reaching), "\(text)")
    }
    #expect(Self.read(Self.tensor([1], [1, 1])).contains("1 extents and 2 strides"))
    #expect(
      Self.read(Self.tensor([4], [1], count: 5))
        == "f: storage '0' has 16 bytes, expected 5 elements of 4")
    #expect(Self.read(Self.tensor([4], [1], count: -1)).contains("a storage of -1 elements"))
    // One element seen as 4 GiB.
    #expect(
      Self.read(Self.tensor([1 << 30], [0]))
        == "f: tensor 't': the tensors have over 8 times the bytes of their storages")
    let many = [Int32](repeating: 1, count: 65)
    #expect(Self.read(Self.tensor(many, many)).contains("at most 64 extents"))
  }

  static let short: [(Data, String)] = [
    (pickle(PickleOperation.stop), "takes a value that is not there"),
    (pickle(PickleOperation.tuple), "takes a mark that is not there"),
    (pickle(PickleOperation.mark, PickleOperation.append), "takes a value that is not there"),
    (pickle(PickleOperation.none, PickleOperation.mark, PickleOperation.build), "takes a value"),
    (pickle([1]), "no operation 1 is known"),
    (pickle(PickleOperation.proto, [9]), "protocol 9, expected at most 5"),
    (pickle(PickleOperation.binget, [7]), "no value 7 is remembered"),
    (pickle(PickleOperation.get, "-1\n"), "expected a number"),
    (pickle(PickleOperation.get, "1"), "truncated"),
    (pickle(PickleOperation.long4, [255, 255, 255, 255]), "truncated"),
    (pickle(PickleOperation.binunicode8, [Int](repeating: 255, count: 8)), "truncated"),
    (pickle(PickleOperation.none, PickleOperation.none, PickleOperation.append), "no list"),
    (
      pickle(PickleOperation.emptyDict, PickleOperation.mark, PickleOperation.none, "u"),
      "a dictionary's key without a value"
    ),
    (pickle(PickleOperation.long, "123456789012345678901\n"), "an integer of 64 bits"),
    (pickle(PickleOperation.global, "os\nsystem\n"), "refuses to call os.system"),
    (pickle(PickleOperation.inst, "os\nsystem\n"), "refuses to call os.system"),
    (
      pickle(
        PickleOperation.shortBinunicode, [2], "os", PickleOperation.shortBinunicode, [6],
        "system", PickleOperation.stackGlobal), "refuses to call os.system"
    ),
    (pickle(PickleOperation.global, "torch\nload\n"), "refuses to call torch.load"),
    (pickle(PickleOperation.global, "o\u{1b}s\nx\n"), "refuses to call o?s.x"),
    (pickle(PickleOperation.ext1, [1]), "refuses the operation ext1"),
    (pickle(PickleOperation.persid, "x\n"), "refuses the operation persid"),
    (
      pickle(PickleOperation.none, PickleOperation.emptyTuple, PickleOperation.reduce),
      "refuses to call something that is no function of PyTorch's"
    ),
    (
      pickle(
        PickleOperation.global, "builtins\nlist\n", PickleOperation.emptyTuple,
        PickleOperation.reduce), "refuses to call a type"
    ),
    (
      pickle(
        PickleOperation.global, "torch._tensor\n_rebuild_from_type_v2\n", PickleOperation.dup,
        PickleOperation.none, PickleOperation.emptyTuple, PickleOperation.tuple3,
        PickleOperation.reduce), "a tensor of a kind that is not known"
    ),
  ]

  @Test(arguments: short)
  func refusals(_ pickle: Data, _ expected: String) {
    let text = Self.read(pickle)
    #expect(text.hasPrefix("f: pickle, byte ") && text.contains(expected), "\(text)")
    #expect(!text.contains("\n") && text.utf8.count < 300)
  }

  /// Nesting, cycles and sharing that double with every operation cost what they weigh.
  @Test func deepAndSharedValues() {
    let stop = Self.pickle(PickleOperation.stop)
    let deep =
      Self.pickle(PickleOperation.none)
      + Data(repeating: PickleOperation.tuple1.rawValue, count: 1_000_000) + stop
    #expect(Self.read(deep).contains("nested over 64 deep"))
    // x = (); x = (x, x); ... 300,000 times.
    let double = Self.pickle(PickleOperation.dup, PickleOperation.tuple2)
    let bomb =
      Self.pickle(PickleOperation.emptyTuple)
      + (0..<300_000).reduce(into: Data()) { data, _ in data += double } + stop
    #expect(Self.read(bomb).contains("nested over 64 deep"))
    let small =
      Self.pickle(PickleOperation.emptyTuple)
      + (0..<60).reduce(into: Data()) { data, _ in data += double } + stop
    #expect(Self.read(small) == "no error")
    // A list that contains itself.
    let cycle = Self.pickle(
      PickleOperation.emptyList, PickleOperation.dup, PickleOperation.append, stop)
    #expect(Self.read(cycle) == "no error")
    let endless = Data(repeating: PickleOperation.none.rawValue, count: 3_000_000)
    #expect(Self.read(endless).contains("more than 2097152 operations"))
  }

  /// One large value that many operations would copy.
  @Test func copiesAreCounted() {
    let pairs =
      Self.pickle(PickleOperation.emptyDict, PickleOperation.mark)
      + Data(repeating: PickleOperation.none.rawValue, count: 100_000)
      + Self.pickle(PickleOperation.setItems)
    let update = Self.pickle(PickleOperation.binget, [0], PickleOperation.build)
    let namespace =
      pairs
      + Self.pickle(
        PickleOperation.binput, [0], PickleOperation.global, "argparse\nNamespace\n",
        PickleOperation.emptyTuple, PickleOperation.newobj)
      + (0..<10_000).reduce(into: Data()) { data, _ in data += update }
    #expect(Self.read(namespace).contains("more than 2097152 operations"))
    let length = withUnsafeBytes(of: UInt32(100_000).littleEndian) { Data($0) }
    let text =
      Self.pickle(PickleOperation.binunicode, length, Data(repeating: 65, count: 100_000))
      + Self.pickle(
        PickleOperation.tuple1, PickleOperation.binput, [0], PickleOperation.global,
        "_codecs\nencode\n", PickleOperation.binput, [1])
    let encode = Self.pickle(
      PickleOperation.binget, [1], PickleOperation.binget, [0], PickleOperation.reduce)
    let encodings = text + (0..<10_000).reduce(into: Data()) { data, _ in data += encode }
    #expect(Self.read(encodings).contains("more than 2097152 operations"))
  }

  /// Damaged checkpoints are refused with one line, or are read as what they then say.
  @Test func damageNeverCrashes() throws {
    var mutations = Mutations(seed: 2)
    let files = try ["zip.pth", "nested.pth", "views.pth", "nested.th", "views.th", "legacy.th"]
      .map { try #require(FileManager.default.contents(atPath: TorchTests.folder + "/" + $0)) }
    let pickles = try files.prefix(3).map { data in
      let archive = try ZipArchive(data, file: "f")
      return try archive.contents(#require(archive.entries.first))
    }
    var refused = 0
    for round in 0..<6_000 {
      do {
        if round % 2 == 0 {
          // The pickle alone, whose archive would otherwise refuse the damage by its checksum.
          var unpickler = try Unpickler(mutations.damaged(pickles[round / 2 % 3]))
          let root = try unpickler.load(file: "f")
          do {
            try unpickler.pickle.visitLeaves(of: root) { _, _ in }
          } catch let error as PickleError {
            throw StorageError(.damaged, file: "f", error.problem)
          }
        } else {
          let damaged = mutations.damaged(files[round / 2 % 6])
          for tensor in try WeightFile.decode(damaged, file: "f.pth").tensors {
            #expect(StoredTensor.byteCount(tensor.type, tensor.shape) == tensor.bytes.count)
          }
        }
      } catch {
        refused += 1
        let text = String(describing: error)
        #expect(error is StorageError && text.hasPrefix("f") && !text.contains("\n"), "\(text)")
      }
    }
    #expect(refused > 3_000 && refused < 6_000)
  }
}
