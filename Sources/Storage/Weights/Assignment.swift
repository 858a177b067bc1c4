import Foundation
import IR

/// Which tensor of a file each tensor of a network takes.
struct Assignment {
  /// Index in the pool by the network's name.
  private(set) var taken: [String: Int] = [:]
  private let pool: TensorPool
  private let prefix: String
  /// The network's names that another name in the file stands for.
  private var renamed: [(slot: String, name: String)] = []
  private var byOrder = false
  private var missing: [StateDict.Slot] = []
  private var misshapen: [String] = []
  /// Tensors under the prefix that the network has not.
  private var unexpected: [StoredTensor] = []
  private var unused = 0

  var isComplete: Bool { missing.isEmpty && misshapen.isEmpty && unexpected.isEmpty }

  /// Takes tensors by name: first those of the very name, then those of another word for it.
  init(_ pool: TensorPool, prefix: String, _ names: SlotNames) {
    (self.pool, self.prefix) = (pool, prefix)
    let members = Self.members(pool, prefix)
    for (index, rest) in members {
      if let slot = names.exact[rest] { taken[names.slots[slot].name] = index }
    }
    for (index, rest) in members where names.exact[rest] == nil {
      guard let slot = names.slot(rest).map({ names.slots[$0] }), taken[slot.name] == nil else {
        leave(pool.tensors[index], rest, names)
        continue
      }
      taken[slot.name] = index
      renamed.append((slot.name, rest))
    }
    for slot in names.slots {
      guard let index = taken[slot.name] else {
        missing.append(slot)
        continue
      }
      let shape = pool.tensors[index].shape
      if shape != slot.shape {
        misshapen.append("\(slot.name) is \(shape), expected \(slot.shape)")
      }
    }
  }

  /// Takes all tensors under one prefix in their order, where number, shapes and kinds agree and
  /// nothing that was found by name contradicts it; nil where that is not so.
  init?(ordered pool: TensorPool, _ names: SlotNames, like found: Assignment) {
    guard pool.isOrdered, !names.slots.isEmpty else { return nil }
    var counts: [String: Int] = [:]
    var order: [String] = []
    for tensor in pool.tensors where !Self.isUnused(tensor.name) {
      for (prefix, _) in TensorPool.splits(tensor.name) {
        if counts[prefix, default: 0] == 0 { order.append(prefix) }
        counts[prefix, default: 0] += 1
      }
    }
    let fitting = order.filter { counts[$0] == names.slots.count }.filter { prefix in
      let members = Self.members(pool, prefix).filter { !Self.isUnused($0.rest) }
      return zip(members, names.slots).allSatisfy { member, slot in
        pool.tensors[member.index].shape == slot.shape
          && Self.leaf(member.rest) == Self.leaf(slot.name)
          && names.exact[member.rest].map { names.slots[$0] == slot } ?? true
      }
    }
    guard let prefix = fitting.first(where: { !TensorPool.isAverage($0) }) ?? fitting.first else {
      return nil
    }
    (self.pool, self.prefix, byOrder) = (pool, prefix, true)
    let members = Self.members(pool, prefix).filter { !Self.isUnused($0.rest) }
    for (member, slot) in zip(members, names.slots) {
      taken[slot.name] = member.index
      if member.rest != slot.name { renamed.append((slot.name, member.rest)) }
    }
  }

  /// The pool's tensors under a prefix, with their names behind it.
  private static func members(_ pool: TensorPool, _ prefix: String) -> [(index: Int, rest: String)]
  {
    pool.tensors.indices.compactMap { index in
      let name = pool.tensors[index].name
      return name.hasPrefix(prefix) ? (index, String(name.dropFirst(prefix.count))) : nil
    }
  }

  /// A tensor that the network has not; what belongs to an average beside it is no part of it.
  private mutating func leave(_ tensor: StoredTensor, _ rest: String, _ names: SlotNames) {
    let belongsToAverage = TensorPool.splits(rest).contains {
      TensorPool.isAverage($0.prefix) && names.slot($0.rest) != nil
    }
    if Self.isUnused(rest) {
      unused += 1
    } else if !belongsToAverage {
      unexpected.append(tensor)
    }
  }

  /// TRADES' WideResNet has a second first block that its forward pass never uses.
  private static func isUnused(_ name: String) -> Bool {
    name.split(separator: ".").contains("sub_block1")
  }

  private static func leaf(_ name: String) -> Substring? { name.split(separator: ".").last }
}

extension Assignment {
  private static let listed = 400

  /// What a user should know of a complete assignment.
  func notes(_ file: String) -> [String] {
    var notes: [String] = []
    if let first = renamed.first {
      let how = byOrder ? "by their order and shapes" : "by other names"
      let more = renamed.count > 1 ? " and \(renamed.count - 1) more" : ""
      notes.append(
        "\(file): \(renamed.count) of \(taken.count) tensors found \(how): "
          + "\(first.slot) is \(quoted(first.name))\(more)")
    }
    if unused > 0 { notes.append("\(file): \(unused) tensors of sub_block1 are not used") }
    return notes
  }

  /// What does not fit, in one line.
  func problems(_ names: SlotNames) -> String {
    let lists = [
      ("missing", missing.map { slot in slot.name + nearest(slot) }), ("misshapen", misshapen),
      (
        "unexpected", unexpected.map { printable(String($0.name.dropFirst(prefix.count))) }.sorted()
      ),
    ]
    let place = prefix.isEmpty ? "" : "under \(quoted(prefix)) "
    return place
      + lists.filter { !$0.1.isEmpty }.map { kind, items in
        let more = items.count > Self.listed ? ", and \(items.count - Self.listed) more" : ""
        return "\(items.count) \(kind): \(items.prefix(Self.listed).joined(separator: ", "))\(more)"
      }.joined(separator: "; ")
  }

  /// The unexpected tensor of the same shape whose name has most in common with a missing one's.
  private func nearest(_ slot: StateDict.Slot) -> String {
    func common(_ name: String) -> Int {
      zip(name, slot.name).prefix { $0 == $1 }.count
        + zip(name.reversed(), slot.name.reversed()).prefix { $0 == $1 }.count
    }
    let candidates = unexpected.prefix(Self.listed).filter { $0.shape == slot.shape }
      .map { String($0.name.dropFirst(prefix.count)) }
    let best = candidates.max { common($0) < common($1) }
    return best.map { " (perhaps \(quoted($0)))" } ?? ""
  }
}
