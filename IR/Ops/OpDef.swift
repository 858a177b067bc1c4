/// The kind and default of an attribute.
public struct AttributeSpec: Sendable {
  public enum Kind: String, Sendable { case bool, int, float, string, ints, floats, region }

  public var name: String
  public var kind: Kind
  /// nil where the attribute must be given.
  public var defaultValue: Attribute?

  public init(_ name: String, _ kind: Kind, default defaultValue: Attribute? = nil) {
    self.name = name
    self.kind = kind
    self.defaultValue = defaultValue
  }

  func accepts(_ value: Attribute) -> Bool {
    switch (kind, value) {
    case (.bool, .bool), (.int, .int), (.float, .float), (.float, .int), (.string, .string),
      (.ints, .ints), (.floats, .floats), (.floats, .ints), (.region, .region):
      true
    default: false
    }
  }
}

/// How an operation may take part in fusion (after TVM's operator patterns).
public enum FusionKind: Sendable {
  /// One output element from the operands' elements at the same place, or from a per-channel
  /// vector.
  case elementwise
  /// Likewise, with operands broadcast from one element an image, or a channel of an image.
  case imagewise
  /// One element an image, or a channel of an image, from all of the image's.
  case imageReduction
  /// A heavy operation whose epilogue may absorb element-wise work.
  case outFusable
  /// Reduces over the batch.
  case reduction
  /// Takes no part.
  case opaque

  /// Whether the operation may be part of a region.
  public var isFusable: Bool {
    switch self {
    case .elementwise, .imagewise, .imageReduction: true
    case .outFusable, .reduction, .opaque: false
    }
  }
}

/// Work of one execution, for profiles and cost tables.
public struct Cost: Hashable, Sendable {
  /// Floating-point operations; a multiply-add counts as two, padding taps are counted.
  public var flops: Double
  /// Bytes read and written, each operand counted once.
  public var bytes: Double

  public init(flops: Double, bytes: Double) {
    self.flops = flops
    self.bytes = bytes
  }
}

/// A small typed example of an operation, from which the generic tests are made.
public struct OpSample: Sendable {
  public var operands: [TensorType]
  public var attributes: Attributes
  /// Exclusive upper bound of i32 operands (labels, indices).
  public var integerBound: Int
  /// Operands that must be positive (variances, distances).
  public var positive: [Int]
  /// Operands with respect to which the gradient is checked by finite differences.
  public var differentiable: [Int]

  public init(
    _ operands: [TensorType], _ attributes: Attributes = [:], integerBound: Int = 1,
    positive: [Int] = [], differentiable: [Int] = []
  ) {
    self.operands = operands
    self.attributes = attributes
    self.integerBound = integerBound
    self.positive = positive
    self.differentiable = differentiable
  }
}

/// Everything the compiler knows about an operation, in one place.
public struct OpDef: Sendable {
  public typealias Infer = @Sendable (OpTypes) throws -> [TensorType]
  public typealias Reference = @Sendable (OpInvocation) throws -> [[Double]]
  public typealias Gradient = @Sendable (GradientContext) throws -> [ValueID?]
  public typealias Flops = @Sendable (OpTypes, [TensorType]) -> Double

  public var name: String
  public var attributes: [AttributeSpec]
  public var fusion: FusionKind
  /// Whether the operation has no kernel of its own and runs in `fused` regions alone.
  public var fusedOnly: Bool
  /// Results' types from the operands' types; serves builder, parser and verifier.
  public var infer: Infer
  /// The results in double precision, obviously right and slow.
  public var reference: Reference
  /// Gradients of the operands from gradients of the results; nil where the operation is not
  /// differentiable.
  public var gradient: Gradient?
  /// Floating-point operations of one execution.
  public var flops: Flops
  /// Pairs (result, operand) that may share memory.
  public var inPlace: [(result: Int, operand: Int)]
  public var samples: [OpSample]

  public init(
    _ name: String, attributes: [AttributeSpec] = [], fusion: FusionKind = .opaque,
    fusedOnly: Bool = false, inPlace: [(result: Int, operand: Int)] = [], samples: [OpSample],
    flops: @escaping Flops = { _, results in Double(results.reduce(0) { $0 + $1.count }) },
    infer: @escaping Infer, reference: @escaping Reference, gradient: Gradient? = nil
  ) {
    self.name = name
    self.attributes = attributes
    self.fusion = fusion
    self.fusedOnly = fusedOnly
    self.inPlace = inPlace
    self.samples = samples
    self.flops = flops
    self.infer = infer
    self.reference = reference
    self.gradient = gradient
  }

  /// The attributes with defaults filled in.
  public func complete(_ given: Attributes) throws -> Attributes {
    for name in given.names where !attributes.contains(where: { $0.name == name }) {
      let known = attributes.map(\.name).joined(separator: ", ")
      throw IRError("\(self.name): unknown attribute '\(name)'; known: \(known)")
    }
    var result = Attributes()
    for spec in attributes {
      guard let value = given[spec.name] ?? spec.defaultValue else {
        throw IRError("\(name): attribute '\(spec.name)' (\(spec.kind.rawValue)) is missing")
      }
      guard spec.accepts(value) else {
        throw IRError(
          "\(name): attribute '\(spec.name)' must be \(spec.kind.rawValue), is \(value.kind)")
      }
      result[spec.name] = value
    }
    return result
  }

  /// The results' types, with the operation named in any error.
  public func inferResults(
    _ operands: [TensorType], _ attributes: Attributes
  ) throws -> [TensorType] {
    do {
      for type in operands { try type.check() }
      try checkRange(attributes)
      let results = try infer(OpTypes(operands: operands, attributes: attributes))
      for type in results { try type.check() }
      return results
    } catch let error as IRError {
      let list = operands.map(\.description).joined(separator: ", ")
      throw IRError("\(name)(\(list)): \(error.message)")
    }
  }

  /// Keeps the whole numbers small enough for type rules to calculate with.
  private func checkRange(_ attributes: Attributes) throws {
    let limit = 1 << 31
    for name in attributes.names {
      let numbers = attributes.ints(name) + [attributes.int(name)]
      guard numbers.allSatisfy({ (-limit..<limit).contains($0) }) else {
        throw IRError("attribute '\(name)' is out of range")
      }
    }
  }

  public func cost(_ operands: [TensorType], _ attributes: Attributes, _ results: [TensorType])
    -> Cost
  {
    let types = OpTypes(operands: operands, attributes: attributes)
    let bytes = (operands + results).reduce(0) { $0 + $1.byteCount }
    return Cost(flops: flops(types, results), bytes: Double(bytes))
  }
}

/// The operands' types and the attributes of a node, with the checks that type rules share.
public struct OpTypes: Sendable {
  public var operands: [TensorType]
  public var attributes: Attributes

  public init(operands: [TensorType], attributes: Attributes) {
    self.operands = operands
    self.attributes = attributes
  }

  public subscript(index: Int) -> TensorType { operands[index] }

  public func expectCount(_ count: Int) throws {
    guard operands.count == count else {
      throw IRError("expected \(count) operand\(count == 1 ? "" : "s"), got \(operands.count)")
    }
  }

  public func expect(_ index: Int, _ dtype: DType, rank: Int? = nil) throws {
    guard index < operands.count else {
      throw IRError("expected \(index + 1) operands or more, got \(operands.count)")
    }
    guard operands[index].dtype == dtype else {
      throw IRError("operand \(index) must be \(dtype), is \(operands[index])")
    }
    if let rank, operands[index].rank != rank {
      throw IRError("operand \(index) must have rank \(rank), is \(operands[index])")
    }
  }

  public func expect(_ index: Int, _ type: TensorType, _ what: String) throws {
    guard index < operands.count else {
      throw IRError("operand \(index) (\(what)) is missing: it must be \(type)")
    }
    guard operands[index] == type else {
      throw IRError("operand \(index) (\(what)) must be \(type), is \(operands[index])")
    }
  }

  public func pair(_ name: String) throws -> (Int, Int) {
    let values = attributes.ints(name)
    guard values.count == 2 else {
      throw IRError("attribute '\(name)' must hold two numbers, is \(values)")
    }
    return (values[0], values[1])
  }

  /// Rows and columns of padding before and after: `pad` is [rows, columns] on both sides, or
  /// [above, left, below, right].
  public func padding() throws -> (before: (Int, Int), after: (Int, Int)) {
    let values = attributes.ints("pad")
    guard values.count == 2 || values.count == 4, values.allSatisfy({ $0 >= 0 }) else {
      throw IRError("attribute 'pad' must hold two or four numbers of 0 or more, is \(values)")
    }
    return ((values[0], values[1]), (values[values.count - 2], values[values.count - 1]))
  }
}

/// One execution of an operation on host data, in double precision. `bits` are 0 or 1.
public struct OpInvocation {
  public var types: OpTypes
  public var resultTypes: [TensorType]
  public var inputs: [[Double]]

  public init(types: OpTypes, resultTypes: [TensorType], inputs: [[Double]]) {
    self.types = types
    self.resultTypes = resultTypes
    self.inputs = inputs
  }

  public var attributes: Attributes { types.attributes }
  public subscript(index: Int) -> [Double] { inputs[index] }
}

/// What a gradient rule sees: the node, and where to add the nodes of its gradient.
public struct GradientContext {
  public let builder: GraphBuilder
  public let node: Node
  /// The gradients of the node's results; nil where a result does not reach the loss.
  public let resultGradients: [ValueID?]
  /// Whether the gradient of an operand is wanted.
  public let wanted: [Bool]

  public var attributes: Attributes { node.attributes }
  public func operand(_ index: Int) -> ValueID { node.operands[index] }
  public func result(_ index: Int) -> ValueID { node.results[index] }
  public func type(_ value: ValueID) -> TensorType { builder.type(value) }

  /// The gradient of the first result.
  public func dy() throws -> ValueID {
    guard let gradient = resultGradients[0] else {
      throw IRError("\(node.op): only its first result can carry a gradient")
    }
    return gradient
  }

  /// `make()` where the operand's gradient is wanted, else nil.
  public func ifWanted(_ index: Int, _ make: () throws -> ValueID) rethrows -> ValueID? {
    wanted[index] ? try make() : nil
  }
}
