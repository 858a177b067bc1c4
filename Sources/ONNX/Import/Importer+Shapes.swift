import IR
import Models

// Operators that move numbers or tell of shapes.
extension Importer {
  static let shapeRules: [String: Rule] = [
    "Flatten": { try $0.flatten($1) },
    "Reshape": { try $0.reshape($1) },
    "Squeeze": { try $0.squeeze($1) },
    "Unsqueeze": { try $0.unsqueeze($1) },
    "Transpose": { try $0.transpose($1) },
    "Concat": { try $0.concat($1) },
    "Slice": { try $0.slice($1) },
    "Pad": { try $0.pad($1) },
    "Shape": { try $0.shape($1) },
    "Constant": { _, _ in throw ModelError("only tensors and numbers are supported") },
    "ConstantOfShape": { _, _ in throw ModelError("the shape must be known") },
    "Gather": { try $0.gather($1) },
  ]

  /// [N, C, H, W] or [N, C] as [N, C * H * W].
  private func flat(_ x: OnnxTensor) throws -> OnnxValue {
    if x.shape.count == 2 { return .tensor(x) }
    switch x.form {
    case .pooled, .row: return tensor(x.value)
    default: return tensor(try emit("flatten", [plain(x)]))
    }
  }

  private func flatten(_ node: OnnxNode) throws -> OnnxValue {
    let x = try node.tensor(0)
    let axis = try OnnxNode.axis(node.int("axis", default: 1), rank: x.shape.count)
    guard axis == 1 else { throw ModelError("axis \(axis) would mix the images of a batch") }
    return try flat(x)
  }

  private func reshape(_ node: OnnxNode) throws -> OnnxValue {
    let x = try node.tensor(0)
    guard var target = try node.constant(1)?.ints else {
      throw ModelError("input 1 must hold whole numbers")
    }
    let count = x.shape.reduce(1, *)
    for (index, extent) in target.enumerated() where extent == 0 && index < x.shape.count {
      target[index] = x.shape[index]
    }
    guard target.count <= 8, target.allSatisfy({ $0 >= -1 && $0 <= count }) else {
      throw ModelError("\(x.shape) cannot become \(target)")
    }
    let known = target.filter { $0 > 0 }.reduce(1) { $0 &* $1 }
    if let free = target.firstIndex(of: -1), known > 0 { target[free] = count / known }
    if target == x.shape { return .tensor(x) }
    guard target == [x.shape[0], count / x.shape[0]] else {
      throw ModelError("\(x.shape) cannot become \(target): only [N, -1] is supported")
    }
    return try flat(x)
  }

  private func squeeze(_ node: OnnxNode) throws -> OnnxValue {
    let x = try node.tensor(0)
    let given = try node.ints("axes", orInput: 1)?.map {
      try OnnxNode.axis($0, rank: x.shape.count)
    }
    let axes = given ?? x.shape.indices.filter { $0 > 1 && x.shape[$0] == 1 }
    guard axes.allSatisfy({ $0 >= 2 && x.shape[$0] == 1 }), x.shape[2...].allSatisfy({ $0 == 1 })
    else { throw ModelError("only height and width of 1 are squeezed, not axes \(axes)") }
    let shape = x.shape.indices.filter { !axes.contains($0) }.map { x.shape[$0] }
    let form = shape.count == 2 ? OnnxTensor.Form.plain : .row
    return .tensor(OnnxTensor(value: try rows(x), shape: shape, form: form))
  }

  private func unsqueeze(_ node: OnnxNode) throws -> OnnxValue {
    let x = try node.tensor(0)
    let axes = try node.ints("axes", orInput: 1)
    if x.form == .channel, axes == [1] { return tensor(x.value) }
    guard x.shape.count == 2, axes == [2, 3] else { throw ModelError("images keep their axes") }
    return .tensor(OnnxTensor(value: try plain(x), shape: x.shape + [1, 1], form: .row))
  }

  /// One channel of images, as they are normalised one by one.
  private func gather(_ node: OnnxNode) throws -> OnnxValue {
    let x = try node.tensor(0)
    guard x.shape.count == 4, node.int("axis", default: 0) == 1,
      let index = try node.constant(1), index.shape.isEmpty, let place = index.ints?.first
    else { throw ModelError("only one channel of images, and what is known, can be gathered") }
    let start = try OnnxNode.axis(place, rank: x.shape[1])
    return .tensor(
      OnnxTensor(
        value: try channels(x, from: start, count: 1), shape: [x.shape[0]] + x.shape[2...],
        form: .channel))
  }

  private func channels(_ x: OnnxTensor, from start: Int, count: Int) throws -> ValueID {
    try emit("slice_channels", [plain(x)], ["start": .int(start), "count": .int(count)])
  }

  private func transpose(_ node: OnnxNode) throws -> OnnxValue {
    let x = try node.tensor(0)
    let order = node.ints("perm") ?? x.shape.indices.reversed()
    guard order == Array(x.shape.indices) else {
      throw ModelError("images stay [N, C, H, W]; perm \(order) is not supported")
    }
    return .tensor(x)
  }

  private func concat(_ node: OnnxNode) throws -> OnnxValue {
    let parts = try node.inputs.indices.map { try node.tensor($0) }
    guard let first = parts.first else { throw ModelError("inputs are expected") }
    let axis = try OnnxNode.axis(node.int("axis", default: 1), rank: first.shape.count)
    guard axis == 1 else { throw ModelError("only channels are concatenated, not axis \(axis)") }
    return tensor(try emit("concat", parts.map(plain)))
  }

  private func shape(_ node: OnnxNode) throws -> OnnxValue {
    let shape = try node.tensor(0).shape
    let range = [node.int("start", default: 0), node.int("end", default: shape.count)].map {
      min(max($0 < 0 ? $0 &+ shape.count : $0, 0), shape.count)
    }
    return .constant(Constant(range[0] < range[1] ? Array(shape[range[0]..<range[1]]) : []))
  }

  // MARK: Shortcuts of option A (He et al. 2015)

  /// Some of the channels, or every `step`-th pixel, in one node or, axis by axis, in two.
  private mutating func slice(_ node: OnnxNode) throws -> OnnxValue {
    let x = try node.tensor(0)
    let ranges = try Folding.Ranges(node, x.shape).list
    if let range = ranges.first, ranges.count == 1, x.shape.count == 4, range.axis == 1,
      range.step == 1, range.end - range.start < x.shape[1]
    {
      return tensor(try channels(x, from: range.start, count: range.end - range.start))
    }
    var steps = [1, 1]
    for range in ranges {
      let isWhole = range.start == 0 && range.end == x.shape[range.axis]
      guard isWhole, range.axis >= 2 ? range.step > 0 : range.step == 1 else {
        throw ModelError("only every n-th pixel of whole images can be taken")
      }
      if range.axis >= 2 { steps[range.axis - 2] = range.step }
    }
    if steps == [1, 1] { return .tensor(x) }
    if steps[0] == steps[1] { return try subsample(x, steps[0]) }
    return try halfSubsample(x, steps)
  }

  /// Where an exporter takes rows first and columns then, the second completes the first.
  private mutating func halfSubsample(_ x: OnnxTensor, _ steps: [Int]) throws -> OnnxValue {
    var (before, source, shape) = ([1, 1], x, x.shape)
    if case .sliced(let first, let whole) = x.form {
      (before, source.shape, source.form) = (first, whole, .plain)
    }
    let total = zip(before, steps).map { $0 * $1 }
    if total[0] == total[1] { return try subsample(source, total[0]) }
    guard source.form == .plain, before == [1, 1] else {
      throw ModelError("only every n-th pixel can be taken, in rows as in columns")
    }
    for axis in 0..<2 { shape[2 + axis] = (shape[2 + axis] + steps[axis] - 1) / steps[axis] }
    let form = OnnxTensor.Form.sliced(steps, of: x.shape)
    return .tensor(OnnxTensor(value: x.value, shape: shape, form: form))
  }

  private mutating func subsample(_ x: OnnxTensor, _ step: Int) throws -> OnnxValue {
    let source = try plain(x)
    let y = try emit(
      "subsample_pad", [source], ["stride": .int(step), "before": .int(0), "after": .int(0)])
    origins[y] = .subsampled(of: source, stride: step)
    return tensor(y)
  }

  /// Zeros around the pixels wait for what reads them; zero channels come of shortcuts.
  private mutating func pad(_ node: OnnxNode) throws -> OnnxValue {
    let x = try node.tensor(0)
    guard node.string("mode", default: "constant") == "constant",
      try node.constant(2)?.floats.allSatisfy({ $0 == 0 }) ?? true,
      node.float("value", default: 0) == 0
    else { throw ModelError("only zeros are padded") }
    guard let pads = try node.ints("pads", orInput: 1), x.shape.count == 4, pads.count == 8,
      pads.allSatisfy({ (0...65536).contains($0) }), pads[0] == 0, pads[4] == 0,
      try node.constant(3) == nil
    else { throw ModelError("expected eight pads of 0 or more, none of the batch") }
    let around = [pads[2], pads[3], pads[6], pads[7]]
    let (before, after) = (pads[1], pads[5])
    if before == 0, after == 0 {
      if around == [0, 0, 0, 0] { return .tensor(x) }
      var shape = x.shape
      shape[2] += around[0] + around[2]
      shape[3] += around[1] + around[3]
      guard x.form == .plain else { throw ModelError("one padding within another") }
      return .tensor(OnnxTensor(value: x.value, shape: shape, form: .padded(around)))
    }
    guard around == [0, 0, 0, 0] else { throw ModelError("channels and pixels are padded at once") }
    var (source, stride) = (try plain(x), 1)
    if case .subsampled(let whole, let step) = origins[source] { (source, stride) = (whole, step) }
    return tensor(
      try emit(
        "subsample_pad", [source],
        ["stride": .int(stride), "before": .int(before), "after": .int(after)]))
  }
}
