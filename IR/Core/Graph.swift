/// A value of a graph: the index of its entry in `Graph.values`. Printed as `%7`.
public struct ValueID: Hashable, Sendable, Comparable, CustomStringConvertible {
  public var index: Int

  public init(_ index: Int) { self.index = index }

  public var description: String { "%\(index)" }
  public static func < (a: ValueID, b: ValueID) -> Bool { a.index < b.index }
}

/// What is known of a value.
public struct ValueInfo: Hashable, Sendable {
  public var type: TensorType
  /// Assigned by the pass `assignStages`; nil before it.
  public var stage: Stage?
}

/// Where an input comes from; decides its stage.
public enum InputRole: String, Sendable, CaseIterable {
  /// A trainable tensor under its PyTorch name.
  case parameter
  /// A tensor that is part of the model but not trained: batch-norm statistics, freeze masks.
  case buffer
  /// Optimiser state: momentum.
  case state
  /// The batch and its scalars: images, labels, ids, learning rate.
  case data
  /// A loop-carried value: the perturbed images of an attack.
  case carried

  public var stage: Stage {
    switch self {
    case .parameter, .buffer, .state: .weights
    case .data: .batch
    case .carried: .step
    }
  }
}

public struct GraphInput: Hashable, Sendable {
  public var value: ValueID
  public var name: String
  public var role: InputRole
}

public struct GraphOutput: Hashable, Sendable {
  public var name: String
  public var value: ValueID
  /// The input that this output replaces after the run (a parameter after its update), if any.
  public var updates: ValueID?

  public init(name: String, value: ValueID, updates: ValueID? = nil) {
    self.name = name
    self.value = value
    self.updates = updates
  }
}

/// A value that one iteration of the loop hands to the next.
public struct Carry: Hashable, Sendable {
  /// The input of role `carried`.
  public var input: ValueID
  /// Its value in the first iteration; of a stage before `step`.
  public var initial: ValueID
  /// Its value in the next iteration.
  public var next: ValueID
}

/// The loop around the nodes of stage `step`.
public struct Loop: Hashable, Sendable {
  public var steps: Int
  public var carries: [Carry]
}

/// A named feature: the output of a layer of the network, numbered in forward order.
public struct Tap: Hashable, Sendable {
  public var name: String
  public var value: ValueID
}

/// One operation. A flat list of these in topological order is a graph's body.
public struct Node: Hashable, Sendable {
  public var op: String
  public var operands: [ValueID]
  public var results: [ValueID]
  public var attributes: Attributes

  public init(op: String, operands: [ValueID], results: [ValueID], attributes: Attributes) {
    self.op = op
    self.operands = operands
    self.results = results
    self.attributes = attributes
  }
}

/// A static single-assignment program: flat, typed, with at most one loop around the nodes of stage
/// `step`.
public struct Graph: Hashable, Sendable {
  public var name: String
  /// What was compiled: mode, wrt, freeze, batch. Printed in the header.
  public var header: Attributes
  public var values: [ValueInfo]
  public var inputs: [GraphInput]
  public var nodes: [Node]
  public var taps: [Tap]
  public var outputs: [GraphOutput]
  public var loop: Loop?

  public init(name: String) {
    self.name = name
    header = [:]
    values = []
    inputs = []
    nodes = []
    taps = []
    outputs = []
  }

  /// The stage of an input: that of its role, or `updated` for a parameter that an output replaces.
  public func stage(of input: GraphInput) -> Stage {
    let isUpdated = outputs.contains { $0.updates == input.value }
    return isUpdated && input.role.stage == .weights ? .updated : input.role.stage
  }

  public func type(_ value: ValueID) -> TensorType { values[value.index].type }
  public func stage(_ value: ValueID) -> Stage? { values[value.index].stage }

  public func input(named name: String) -> GraphInput? { inputs.first { $0.name == name } }
  public func output(named name: String) -> GraphOutput? { outputs.first { $0.name == name } }

  /// The values that the graph must compute: outputs, and what the loop needs.
  public var roots: [ValueID] {
    outputs.map(\.value) + (loop?.carries.flatMap { [$0.initial, $0.next] } ?? [])
  }

  /// For every value, the indices of the nodes that read it, in order.
  public var uses: [[Int]] {
    var uses = [[Int]](repeating: [], count: values.count)
    for (index, node) in nodes.enumerated() {
      for operand in node.operands where uses[operand.index].last != index {
        uses[operand.index].append(index)
      }
    }
    return uses
  }

  /// For every value, the index of the node that defines it, or nil for inputs.
  public var definitions: [Int?] {
    var definitions = [Int?](repeating: nil, count: values.count)
    for (index, node) in nodes.enumerated() {
      for result in node.results { definitions[result.index] = index }
    }
    return definitions
  }

  /// The same graph with every reference to a value replaced as `map` says; definitions are kept.
  public mutating func replaceUses(_ map: [ValueID: ValueID]) {
    if map.isEmpty { return }
    func resolve(_ value: ValueID) -> ValueID {
      var value = value
      while let next = map[value] { value = next }
      return value
    }
    for index in nodes.indices { nodes[index].operands = nodes[index].operands.map(resolve) }
    for index in outputs.indices { outputs[index].value = resolve(outputs[index].value) }
    for index in taps.indices { taps[index].value = resolve(taps[index].value) }
    if var loop {
      for index in loop.carries.indices {
        loop.carries[index].initial = resolve(loop.carries[index].initial)
        loop.carries[index].next = resolve(loop.carries[index].next)
      }
      self.loop = loop
    }
  }
}
