import IR
import Models

// Operators over windows of pixels, and over all pixels.
extension Importer {
  static let poolingRules: [String: Rule] = [
    "MaxPool": { try $0.maxPool($1) },
    "AveragePool": { try $0.averagePool($1) },
    "GlobalAveragePool": { try $0.globalPool($1.tensor(0)) },
    "ReduceMean": { try $0.mean($1) },
  ]

  private func maxPool(_ node: OnnxNode) throws -> OnnxValue {
    let x = try node.tensor(0)
    guard node.proto.output.dropFirst().allSatisfy(\.isEmpty) else {
      throw ModelError("the output of indices is not supported")
    }
    if case .padded = x.form {
      throw ModelError("zeros around the pixels would count in the maximum")
    }
    var window = try Window(node, kernel: node.ints("kernel_shape") ?? [], image: x)
    if node.int("ceil_mode", default: 0) != 0 { _ = window.completesLast(x) }
    return try pool("max_pool", x, window)
  }

  private func pool(
    _ op: String, _ x: OnnxTensor, _ window: Window, _ more: Attributes = [:]
  ) throws -> OnnxValue {
    let attributes: Attributes = [
      "kernel": .ints(window.kernel), "stride": .ints(window.stride),
      "pad": .ints(window.pads(adding: x.form)),
    ]
    return tensor(try emit(op, [imagesBelow(x)], attributes.merging(more)))
  }

  /// What ceil_mode completes never counts, a node's own padding if it says so, and padding by a
  /// node before always: as in PyTorch.
  private func averagePool(_ node: OnnxNode) throws -> OnnxValue {
    let x = try node.tensor(0)
    var window = try Window(node, kernel: node.ints("kernel_shape") ?? [], image: x)
    let isPadded = window.pad.contains { $0 != 0 }
    if x.form == .plain, !isPadded, window.kernel == Array(x.shape.suffix(2)) {
      return try globalPool(x)
    }
    let counts = node.int("count_include_pad", default: 0) != 0
    let completes = node.int("ceil_mode", default: 0) != 0 && window.completesLast(x)
    let isSkipped = isPadded && !counts || completes
    guard !isSkipped || x.form == .plain && !(isPadded && counts) else {
      throw ModelError("means that count some of the padding and leave out other are not supported")
    }
    return try pool("avg_pool", x, window, ["count_include_pad": .bool(!isSkipped)])
  }

  private func globalPool(_ x: OnnxTensor) throws -> OnnxValue {
    guard x.shape.count == 4 else { throw ModelError("expected images, found \(x.shape)") }
    let source = try plain(x)
    return .tensor(
      OnnxTensor(
        value: try emit("global_avg_pool", [source]), shape: Array(x.shape[..<2]) + [1, 1],
        form: .pooled(of: source)))
  }

  /// Over height and width, in one node or in two.
  private func mean(_ node: OnnxNode) throws -> OnnxValue {
    let x = try node.tensor(0)
    let axes = try (node.ints("axes", orInput: 1) ?? []).map {
      try OnnxNode.axis($0, rank: x.shape.count)
    }
    guard x.shape.count == 4, Set(axes) == [2, 3] else {
      throw ModelError("means are supported over height and width, not over axes \(axes)")
    }
    let mean = try globalPool(x)
    guard node.int("keepdims", default: 1) == 0, case .tensor(let y) = mean else { return mean }
    return tensor(y.value)
  }
}

/// The window of a convolution or a pool.
struct Window {
  var kernel: [Int]
  var stride: [Int]
  /// Above, left, below, right.
  var pad: [Int]

  init(_ node: OnnxNode, kernel: [Int], image: OnnxTensor) throws {
    let stride = node.ints("strides") ?? [1, 1]
    self.stride = stride
    self.kernel = kernel
    guard kernel.count == 2, stride.count == 2, image.shape.count == 4,
      (kernel + stride).allSatisfy({ (1...65536).contains($0) })
    else { throw ModelError("expected a window in two dimensions") }
    let dilations = node.ints("dilations") ?? [1, 1]
    guard dilations.count == 2, zip(dilations, kernel).allSatisfy({ $0 == 1 || $1 == 1 }) else {
      throw ModelError("dilations \(dilations) are not supported: windows have no gaps")
    }
    if let given = node.ints("kernel_shape"), given != kernel {
      throw ModelError("kernel_shape \(given) does not fit the filters' \(kernel)")
    }
    switch node.string("auto_pad", default: "NOTSET") {
    case "NOTSET": pad = node.ints("pads") ?? [0, 0, 0, 0]
    case "VALID": pad = [0, 0, 0, 0]
    case let same:
      let extra = (0..<2).map { axis -> Int in
        let (extent, stride) = (image.shape[2 + axis], stride[axis])
        return max(0, ((extent + stride - 1) / stride - 1) * stride + kernel[axis] - extent)
      }
      let before = extra.map { same == "SAME_LOWER" ? ($0 + 1) / 2 : $0 / 2 }
      pad = before + zip(extra, before).map { $0 - $1 }
    }
    guard pad.count == 4, pad.allSatisfy({ (0...65536).contains($0) }) else {
      throw ModelError("pads must be four numbers of 0 or more, are \(pad)")
    }
  }

  /// Pads for the graph, with those of a node before: two numbers where both sides are equal.
  func pads(adding form: OnnxTensor.Form) -> [Int] {
    var pad = pad
    if case .padded(let more) = form { pad = zip(pad, more).map { $0 + $1 } }
    return pad[..<2] == pad[2...] ? Array(pad[..<2]) : pad
  }

  /// Pads the end so that a last window that begins within the image is whole (ceil_mode); false
  /// where there is none.
  mutating func completesLast(_ x: OnnxTensor) -> Bool {
    let before = pad
    for axis in 0..<2 {
      let (extent, stride) = (x.shape[2 + axis], stride[axis])
      let reach = extent + pad[axis] + pad[2 + axis] - kernel[axis]
      let last = (reach + stride - 1) / stride * stride
      guard reach > 0, last > reach, last < extent + pad[axis] else { continue }
      pad[2 + axis] += last - reach
    }
    return pad != before
  }
}
