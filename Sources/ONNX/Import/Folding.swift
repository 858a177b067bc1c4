import Models

/// What nodes make of values that are all known: arithmetic of shapes, and weights turned round.
enum Folding {
  /// More numbers than a shape's arithmetic ever makes.
  private static let maximumCount = 1 << 16

  private typealias Rule = @Sendable (OnnxNode, [Constant]) throws -> Constant

  /// The result of a node, or nil where an input is calculated or the operator does not fold.
  static func value(_ node: OnnxNode) throws -> Constant? {
    guard let rule = rules[node.proto.opType] else { return nil }
    var constants: [Constant] = []
    for input in node.inputs {
      switch input {
      case .constant(let constant): constants.append(constant)
      case .tensor: return nil
      case nil: break
      }
    }
    let needed = node.proto.opType == "Constant" ? 0 : 1
    guard constants.count >= needed else { throw ModelError("an input is missing") }
    return try rule(node, constants)
  }

  private static let rules: [String: Rule] = [
    "Constant": { node, _ in try constant(node) },
    "ConstantOfShape": { try filled($0, shape: $1[0].ints ?? [-1]) },
    "Identity": { _, inputs in inputs[0] },
    "Shape": { _, inputs in Constant(inputs[0].shape) },
    "Cast": { try cast($0, $1[0]) },
    "Reshape": { try reshape($1[0], to: second($1).ints ?? []) },
    "Squeeze": { node, inputs in
      let axes = try node.ints("axes", orInput: 1)?.map { axis in
        try OnnxNode.axis(axis, rank: inputs[0].shape.count)
      }
      return try reshape(
        inputs[0],
        to: inputs[0].shape.enumerated().filter { axes?.contains($0) ?? ($1 == 1) ? false : true }
          .map(\.element))
    },
    "Unsqueeze": { try unsqueeze($0, $1[0]) },
    "Transpose": { node, inputs in
      try transpose(inputs[0], node.ints("perm") ?? inputs[0].shape.indices.reversed())
    },
    "Concat": { try concat($0, $1) },
    "Slice": { try slice($0, $1[0]) },
    "Gather": { try gather($0, $1[0], second($1)) },
    "Add": { try arithmetic($1, +) { $0.addingReportingOverflow($1) } },
    "Sub": { try arithmetic($1, -) { $0.subtractingReportingOverflow($1) } },
    "Mul": { try arithmetic($1, *) { $0.multipliedReportingOverflow(by: $1) } },
    "Div": { try arithmetic($1, /) { $0.dividedReportingOverflow(by: $1) } },
  ]

  private static func second(_ inputs: [Constant]) throws -> Constant {
    guard inputs.count > 1 else { throw ModelError("input 1 is missing") }
    return inputs[1]
  }

  private static func constant(_ node: OnnxNode) throws -> Constant {
    if let tensor = try node.tensor("value") { return tensor }
    if let ints = node.ints("value_ints") { return Constant(ints) }
    if node.has("value_int") {
      return Constant(shape: [], .ints([node.int("value_int", default: 0)]))
    }
    guard node.has("value_float") else {
      throw ModelError("only tensors and numbers are supported")
    }
    return Constant(shape: [], .floats([node.float("value_float", default: 0)]))
  }

  private static func filled(_ node: OnnxNode, shape: [Int]) throws -> Constant {
    var count = 1
    for extent in shape {
      guard (0...maximumCount).contains(extent), count * extent <= maximumCount else {
        throw ModelError("a constant of shape \(shape) is too large")
      }
      count *= extent
    }
    let value = try node.tensor("value") ?? Constant(shape: [1], .floats([0]))
    guard value.count == 1 else { throw ModelError("attribute value must hold one number") }
    switch value.elements {
    case .floats(let one):
      return Constant(shape: shape, .floats(Array(repeating: one[0], count: count)))
    case .ints(let one):
      return Constant(shape: shape, .ints(Array(repeating: one[0], count: count)))
    }
  }

  private static func cast(_ node: OnnxNode, _ constant: Constant) throws -> Constant {
    var result = constant
    switch Onnx_TensorProto.DataType(rawValue: node.int("to", default: 0)) {
    case .float, .float16, .double, .bfloat16: result.elements = .floats(constant.floats)
    case .int32, .int64, .bool:
      if constant.ints == nil {
        result.elements = .ints(
          try constant.floats.map { value in
            guard let whole = Int(exactly: value.rounded(.towardZero)) else {
              throw ModelError("\(value) is no whole number")
            }
            return whole
          })
      }
    default:
      throw ModelError("casts to element type \(node.int("to", default: 0)) are not supported")
    }
    return result
  }

  // MARK: Shapes

  private static func reshape(_ constant: Constant, to shape: [Int]) throws -> Constant {
    var result = constant
    result.shape = shape
    for (index, extent) in shape.enumerated() where extent == 0 && index < constant.shape.count {
      result.shape[index] = constant.shape[index]
    }
    let known = result.shape.filter { $0 >= 0 }.reduce(1) { $0 &* $1 }
    if let free = result.shape.firstIndex(of: -1), known > 0 {
      result.shape[free] = constant.count / known
    }
    guard result.shape.allSatisfy({ $0 >= 0 && $0 <= constant.count }),
      result.shape.count <= 8, result.shape.reduce(1, { $0 &* $1 }) == constant.count
    else { throw ModelError("\(constant.shape) cannot become \(shape)") }
    return result
  }

  private static func unsqueeze(_ node: OnnxNode, _ constant: Constant) throws -> Constant {
    let given = try node.ints("axes", orInput: 1) ?? []
    let rank = constant.shape.count + given.count
    let axes = Set(try given.map { try OnnxNode.axis($0, rank: rank) })
    guard rank <= 8, axes.count == given.count else { throw ModelError("axes \(given) are wrong") }
    var rest = constant.shape[...]
    return try reshape(
      constant, to: (0..<rank).map { axes.contains($0) ? 1 : rest.popFirst() ?? 1 })
  }

  /// The elements in the order of indices into `constant`.
  private static func pick(_ constant: Constant, _ shape: [Int], _ indices: [Int]) -> Constant {
    var result = constant
    result.shape = shape
    switch constant.elements {
    case .floats(let values): result.elements = .floats(indices.map { values[$0] })
    case .ints(let values): result.elements = .ints(indices.map { values[$0] })
    }
    return result
  }

  static func transpose(_ constant: Constant, _ order: [Int]) throws -> Constant {
    guard order.sorted() == Array(constant.shape.indices) else {
      throw ModelError("perm \(order) does not fit \(constant.shape)")
    }
    var strides = [Int](repeating: 1, count: order.count)
    for axis in order.indices.dropLast().reversed() {
      strides[axis] = strides[axis + 1] * constant.shape[axis + 1]
    }
    var indices = constant.count > 0 ? [0] : []
    for axis in order {
      indices = indices.flatMap { base in
        (0..<constant.shape[axis]).map { base + $0 * strides[axis] }
      }
    }
    return pick(constant, order.map { constant.shape[$0] }, indices)
  }

  private static func concat(_ node: OnnxNode, _ parts: [Constant]) throws -> Constant {
    guard parts.allSatisfy({ $0.shape.count == 1 }), node.int("axis", default: 0) == 0 else {
      throw ModelError("constants are concatenated as lists alone")
    }
    let ints = parts.compactMap(\.ints)
    if ints.count == parts.count { return Constant(ints.flatMap { $0 }) }
    let floats = parts.flatMap(\.floats)
    return Constant(shape: [floats.count], .floats(floats))
  }

  private static func gather(
    _ node: OnnxNode, _ list: Constant, _ indices: Constant
  ) throws -> Constant {
    guard list.shape.count == 1, node.int("axis", default: 0) == 0, let places = indices.ints else {
      throw ModelError("only lists are gathered from")
    }
    return pick(
      list, indices.shape, try places.map { try OnnxNode.axis($0, rank: list.count) })
  }

  private static func slice(_ node: OnnxNode, _ constant: Constant) throws -> Constant {
    var result = constant
    for range in try Ranges(node, constant.shape).list {
      let taken = Array(stride(from: range.start, to: range.end, by: range.step))
      let inner = result.shape[(range.axis + 1)...].reduce(1, *)
      let (extent, outer) = (
        result.shape[range.axis], result.shape[..<range.axis].reduce(1, *)
      )
      let indices = (0..<outer).flatMap { block in
        taken.flatMap { place in
          (0..<inner).map { (block * extent + place) * inner + $0 }
        }
      }
      var shape = result.shape
      shape[range.axis] = taken.count
      result = pick(result, shape, indices)
    }
    return result
  }

  /// What a Slice takes of every axis, within the extents.
  struct Ranges {
    var list: [(axis: Int, start: Int, end: Int, step: Int)] = []

    init(_ node: OnnxNode, _ shape: [Int]) throws {
      guard let starts = try node.ints("starts", orInput: 1),
        let ends = try node.ints("ends", orInput: 2)
      else { throw ModelError("starts and ends are missing") }
      let axes = try node.ints("axes", orInput: 3) ?? Array(starts.indices)
      let steps = try node.ints("steps", orInput: 4) ?? starts.map { _ in 1 }
      guard starts.count == ends.count, starts.count == axes.count, starts.count == steps.count,
        starts.count <= shape.count,
        steps.allSatisfy({ $0 != 0 && $0 > -(1 << 31) && $0 < 1 << 31 })
      else { throw ModelError("starts, ends, axes and steps do not fit each other") }
      for index in starts.indices {
        let axis = try OnnxNode.axis(axes[index], rank: shape.count)
        let extent = shape[axis]
        // Backwards, the last place is before the first element.
        let last = steps[index] > 0 ? 0...extent : -1...(extent - 1)
        func place(_ value: Int) -> Int {
          min(max(value < 0 ? value + extent : value, last.lowerBound), last.upperBound)
        }
        list.append((axis, place(starts[index]), place(ends[index]), steps[index]))
      }
    }
  }

  // MARK: Arithmetic

  private static func arithmetic(
    _ inputs: [Constant], _ floats: (Float, Float) -> Float,
    _ ints: (Int, Int) -> (partialValue: Int, overflow: Bool)
  ) throws -> Constant {
    let (a, b) = (inputs[0], try second(inputs))
    guard a.shape == b.shape || a.count == 1 || b.count == 1 else {
      throw ModelError("constants of shapes \(a.shape) and \(b.shape)")
    }
    let larger = a.count == 1 && b.shape.count >= a.shape.count ? b : a
    func pairs<T>(_ a: [T], _ b: [T]) -> [(T, T)] {
      (0..<max(a.count, b.count)).map { (a[a.count == 1 ? 0 : $0], b[b.count == 1 ? 0 : $0]) }
    }
    guard a.count > 0, b.count > 0 else { return larger }
    guard let x = a.ints, let y = b.ints else {
      return Constant(shape: larger.shape, .floats(pairs(a.floats, b.floats).map(floats)))
    }
    return Constant(
      shape: larger.shape,
      .ints(
        try pairs(x, y).map { pair in
          let (value, overflow) = ints(pair.0, pair.1)
          guard !overflow else { throw ModelError("whole numbers overflow") }
          return value
        }))
  }
}
