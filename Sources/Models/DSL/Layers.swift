import IR

/// Convolution, filters OIHW [channels, input channels, kernel, kernel]; parameters `weight`,
/// `bias`.
public struct Conv2d: Module {
  public let name: String?
  public let channels, kernel, stride, padding, endPadding, groups: Int
  public let bias: Bool

  /// - Parameters:
  ///   - padding: zeros on every side.
  ///   - endPadding: zeros below and to the right, where they differ from those above.
  ///   - groups: equal ranges of channels that do not see each other; as many as channels make a
  ///     depthwise convolution.
  public init(
    _ name: String? = nil, channels: Int, kernel: Int, stride: Int = 1, padding: Int = 0,
    endPadding: Int? = nil, groups: Int = 1, bias: Bool = false
  ) {
    self.name = name
    self.channels = channels
    self.kernel = kernel
    self.stride = stride
    self.padding = padding
    self.endPadding = endPadding ?? padding
    self.groups = groups
    self.bias = bias
  }

  public func emit(_ x: ValueID, _ context: EmitContext) throws -> ValueID {
    let type = context.builder.type(x)
    guard type.rank == 4 else { throw ModelError("a convolution reads NHWC images, not \(type)") }
    guard groups > 0, type.channels % groups == 0, channels % groups == 0 else {
      throw ModelError(
        "\(type.channels) and \(channels) channels do not divide into \(groups) groups")
    }
    let filters = try context.parameter(
      "weight", [channels, type.channels / groups, kernel, kernel], .weight)
    let shift = bias ? try context.parameter("bias", [channels], .bias) : nil
    var y = try context.builder.emitOne(
      "conv2d", [x, filters],
      [
        "stride": .ints([stride, stride]),
        "pad": .ints([padding, padding] + (endPadding == padding ? [] : [endPadding, endPadding])),
        "groups": .int(groups),
      ])
    if let shift { y = try context.builder.emitOne("bias_add", [y, shift]) }
    context.declareConvolution(output: y, bias: bias)
    return y
  }
}

/// Fully connected layer [N, I] -> [N, features]; parameters `weight` [features, I] and `bias`.
public struct Linear: Module {
  public let name: String?
  public let features: Int
  public let bias: Bool

  public init(_ name: String? = nil, features: Int, bias: Bool = true) {
    self.name = name
    self.features = features
    self.bias = bias
  }

  public func emit(_ x: ValueID, _ context: EmitContext) throws -> ValueID {
    let type = context.builder.type(x)
    guard type.rank == 2 else {
      throw ModelError("a linear layer reads [N, C], not \(type); flatten or pool first")
    }
    let weight = try context.parameter("weight", [features, type.channels], .weight)
    let shift = bias ? try context.parameter("bias", [features], .bias) : nil
    var y = try context.builder.emitOne("linear", [x, weight])
    if let shift { y = try context.builder.emitOne("bias_add", [y, shift]) }
    context.declareLinear(output: y, bias: bias)
    return y
  }
}

/// Batch normalisation by channel in the emitter's mode; parameters `weight` (gamma), `bias`
/// (beta), buffers `running_mean`, `running_var`.
public struct BatchNorm2d: Module {
  public let name: String?
  public let eps, momentum: Double
  public var extendsFeature: Bool { true }

  /// - Parameter momentum: weight of the new batch in the running statistics, as in PyTorch.
  public init(_ name: String? = nil, eps: Double = 1e-5, momentum: Double = 0.1) {
    self.name = name
    self.eps = eps
    self.momentum = momentum
  }

  public func emit(_ x: ValueID, _ context: EmitContext) throws -> ValueID {
    let shape = [context.builder.type(x).channels]
    context.declareNorm(of: x)
    let results = try context.builder.emit(
      "batch_norm",
      [
        x, context.parameter("weight", shape, .gamma), context.parameter("bias", shape, .beta),
        context.statistic("running_mean", shape, .runningMean),
        context.statistic("running_var", shape, .runningVar),
      ],
      [
        "eps": .float(eps), "momentum": .float(momentum), "mode": .string(context.mode.rawValue),
      ])
    if context.mode == .train {
      context.updateStatistic("running_mean", results[3])
      context.updateStatistic("running_var", results[4])
    }
    return results[0]
  }
}

/// Maximum over square windows; the stride is the kernel's size unless given.
public struct MaxPool2d: Module {
  public let kernel, stride, padding: Int
  public let ceilMode: Bool

  /// - Parameter ceilMode: whether a last window that is not whole counts.
  public init(kernel: Int, stride: Int? = nil, padding: Int = 0, ceilMode: Bool = false) {
    self.kernel = kernel
    self.stride = stride ?? kernel
    self.padding = padding
    self.ceilMode = ceilMode
  }

  public func emit(_ x: ValueID, _ context: EmitContext) throws -> ValueID {
    let shape = context.builder.type(x).shape
    var attributes = window(kernel, stride, padding)
    if ceilMode, shape.count == 4, stride > 0 {
      attributes["pad"] = .ints([padding, padding] + shape[1...2].map(endPadding))
    }
    return try context.builder.emitOne("max_pool", [x], attributes)
  }

  /// What completes the last window that begins before the end of the input of that extent.
  private func endPadding(_ extent: Int) -> Int {
    let last = max((extent + 2 * padding - kernel + stride - 1) / stride, 0) * stride
    let start = last >= extent + padding ? last - stride : last
    return max(start + kernel - extent - padding, padding)
  }
}

/// Mean over square windows, padding counted as zero unless told otherwise; the stride is the
/// kernel's size unless given.
public struct AvgPool2d: Module {
  public let kernel, stride, padding: Int
  public let countIncludePad: Bool

  public init(
    kernel: Int, stride: Int? = nil, padding: Int = 0, countIncludePad: Bool = true
  ) {
    self.kernel = kernel
    self.stride = stride ?? kernel
    self.padding = padding
    self.countIncludePad = countIncludePad
  }

  public func emit(_ x: ValueID, _ context: EmitContext) throws -> ValueID {
    try context.builder.emitOne(
      "avg_pool", [x],
      window(kernel, stride, padding).merging(["count_include_pad": .bool(countIncludePad)]))
  }
}

private func window(_ kernel: Int, _ stride: Int, _ padding: Int) -> Attributes {
  [
    "kernel": .ints([kernel, kernel]), "stride": .ints([stride, stride]),
    "pad": .ints([padding, padding]),
  ]
}

/// The mean over all pixels: [N, H, W, C] -> [N, C].
public struct GlobalAvgPool: Module {
  public init() {}

  public func emit(_ x: ValueID, _ context: EmitContext) throws -> ValueID {
    try context.builder.emitOne("global_avg_pool", [x])
  }
}

/// Means over the windows that divide the image into `size` rows and columns.
public struct AdaptiveAvgPool2d: Module {
  public let size: Int

  public init(_ size: Int) { self.size = size }

  /// - Throws: ModelError where the image does not divide.
  public func emit(_ x: ValueID, _ context: EmitContext) throws -> ValueID {
    let type = context.builder.type(x)
    guard type.rank == 4, size > 0, type.shape[1] % size == 0, type.shape[2] % size == 0 else {
      throw ModelError("\(type) does not divide into \(size)x\(size) equal windows")
    }
    let window: Attribute = .ints([type.shape[1] / size, type.shape[2] / size])
    return try context.builder.emitOne("avg_pool", [x], ["kernel": window, "stride": window])
  }
}

/// [N, H, W, C] -> [N, C * H * W], in PyTorch's order.
public struct Flatten: Module {
  public init() {}

  public func emit(_ x: ValueID, _ context: EmitContext) throws -> ValueID {
    try context.builder.emitOne("flatten", [x])
  }
}

/// Shortcut of option A (He et al. 2015): every `stride`-th pixel, the new channels zero, half of
/// them before the old ones and half after.
public struct OptionAShortcut: Module {
  public let channels, stride: Int

  public init(channels: Int, stride: Int) {
    self.channels = channels
    self.stride = stride
  }

  public func emit(_ x: ValueID, _ context: EmitContext) throws -> ValueID {
    let new = channels - context.builder.type(x).channels
    guard new >= 0 else {
      throw ModelError("an option-A shortcut cannot reduce channels to \(channels)")
    }
    return try context.builder.emitOne(
      "subsample_pad", [x],
      ["stride": .int(stride), "before": .int(new / 2), "after": .int(new - new / 2)])
  }
}

/// (x - mean) / std by channel: images in [0, 1] to what the network was trained on.
public struct Normalize: Module {
  public let mean, std: [Double]

  public init(mean: [Double], std: [Double]) {
    self.mean = mean
    self.std = std
  }

  public func emit(_ x: ValueID, _ context: EmitContext) throws -> ValueID {
    let channels = context.builder.type(x).channels
    guard mean.count == channels, std.count == channels else {
      throw ModelError(
        "images of \(channels) channels need as many means and standard deviations, "
          + "got \(mean.count) and \(std.count)")
    }
    guard std.allSatisfy({ $0 > 0 && $0.isFinite }), mean.allSatisfy(\.isFinite) else {
      throw ModelError("standard deviations must be positive, are \(std)")
    }
    let shift = zip(mean, std).map { -$0 / $1 }
    let vectors = try [std.map { 1 / $0 }, shift].map {
      try context.builder.emitOne("constant", [], ["values": .floats($0)])
    }
    return try context.builder.emitOne("affine", [x] + vectors)
  }
}
