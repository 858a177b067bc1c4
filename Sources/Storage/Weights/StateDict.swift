import Foundation

/// The weights of a file under the names of a network's tensors.
///
/// Names need not be the network's. What stands before them (`module.`, `state_dict.`, `_orig_mod.`,
/// any nesting) is the prefix under which most names are known; the usual other words for a shortcut
/// and for the last layer count as the same; and where all tensors of a file that keeps their order
/// have the network's order, shapes and kinds, they are taken in that order. Nothing is taken in
/// part: either every tensor of the network has its weights, or an error lists what does not fit.
public struct StateDict: Sendable {
  /// A tensor of the network, under its PyTorch name and in PyTorch's layout.
  public struct Slot: Sendable, Equatable {
    public var name: String
    public var shape: [Int]

    public init(name: String, shape: [Int]) {
      (self.name, self.shape) = (name, shape)
    }
  }

  /// The file's tensors, under the network's names and in its order.
  public let tensors: [StoredTensor]
  /// What a user should know: names that were matched, a normalisation that the file holds.
  public let notes: [String]

  /// - Parameters:
  ///   - slots: all tensors of the network in the order of its `state_dict`.
  ///   - network: its name, for errors.
  ///   - part: the name of a dictionary in the file, `ema`, where it holds several networks.
  /// - Throws: StorageError that lists what is missing, unexpected or of another shape, with the
  ///   nearest names.
  public init(
    _ file: WeightFile, for slots: [Slot], network: String, part: String? = nil
  ) throws {
    let names = try SlotNames(slots)
    let pool = try TensorPool(file, part: part)
    var best = pool.bestPrefix(names)
    var assignment = Assignment(pool, prefix: best.prefix, names)
    if !assignment.isComplete, let ordered = Assignment(ordered: pool, names, like: assignment) {
      assignment = ordered
      best.others = []
    }
    guard assignment.isComplete else {
      throw StorageError(
        .damaged, file: file.file, "does not fit \(network): \(assignment.problems(names))")
    }
    tensors = try slots.map { slot in
      let index = assignment.taken[slot.name] ?? 0
      let tensor = pool.tensors[index]
      guard tensor.type.isFloatingPoint else {
        throw StorageError(
          .damaged, file: file.file,
          "tensor \(quoted(tensor.name)): type \(tensor.type.rawValue), expected floating point")
      }
      return tensor.renamed(slot.name)
    }
    notes =
      assignment.notes(file.file)
      + best.others.map { "\(file.file): also holds \($0); to take it: \(file.file):\($0)" }
      + (pool.normalization.map { ["\(file.file): \($0.advice)"] } ?? [])
  }
}

extension StoredType {
  var isFloatingPoint: Bool { [.f64, .f32, .f16, .bf16].contains(self) }
}

/// A network's names, as they are and as they are compared.
struct SlotNames {
  let slots: [StateDict.Slot]
  let exact: [String: Int]
  let canonical: [String: Int]

  init(_ slots: [StateDict.Slot]) throws {
    self.slots = slots
    exact = Dictionary(
      slots.enumerated().map { ($1.name, $0) }, uniquingKeysWith: { one, _ in one })
    canonical = Dictionary(
      slots.enumerated().map { (Self.canonical($1.name), $0) }, uniquingKeysWith: { _, _ in -1 }
    ).filter { $0.value >= 0 }
  }

  /// The slot that a name is known for.
  func slot(_ name: String) -> Int? { exact[name] ?? canonical[Self.canonical(name)] }

  /// A name without wrappers inside it, and with one word for what repositories call differently.
  static func canonical(_ name: String) -> String {
    let parts = name.split(separator: ".", omittingEmptySubsequences: false)
      .filter { !wrappers.contains(String($0)) }.map(String.init)
    if parts.count == 2, heads.contains(parts[0]) { return "linear." + parts[1] }
    return parts.map { shortcuts.contains($0) ? "shortcut" : $0 }.joined(separator: ".")
  }

  /// What compilation and distribution put between names.
  private static let wrappers: Set = [
    "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module",
  ]
  private static let heads: Set = ["fc", "linear", "classifier", "logits", "head", "output"]
  private static let shortcuts: Set = [
    "shortcut", "downsample", "convShortcut", "conv_shortcut", "shortcut_conv", "skip",
  ]
}
