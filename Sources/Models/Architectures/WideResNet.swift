// WideResNet (Zagoruyko and Komodakis 2016), with the names of TRADES and RobustBench.

extension Architecture {
  static let wideResNets: [Architecture] = [
    Architecture(
      name: "wrn",
      parameters: [.integer("depth", 10...1000, default: 34), .width(10)],
      initialization: .wideResNet
    ) { arguments, classes in
      try wideResNet(depth: arguments.int("depth"), width: arguments.int("width"), classes)
    },
    fixed(depth: 28, width: 10), fixed(depth: 34, width: 10), fixed(depth: 70, width: 16),
  ]

  /// The architecture behind `wrn-DEPTH-WIDTH`; nil where the name is not of that form.
  static func wideResNet(named name: String) throws -> Architecture? {
    let parts = name.split(separator: "-", omittingEmptySubsequences: false)
    guard parts.count == 3, parts[0] == "wrn", let depth = Int(parts[1]), let width = Int(parts[2])
    else { return nil }
    guard (10...1000).contains(depth), (1...4096).contains(width) else {
      throw ModelError("\(name): depth must be from 10 to 1000, width from 1 to 4096")
    }
    return fixed(depth: depth, width: width)
  }

  private static func fixed(depth: Int, width: Int) -> Architecture {
    Architecture(name: "wrn-\(depth)-\(width)", initialization: .wideResNet) { _, classes in
      try wideResNet(depth: depth, width: width, classes)
    }
  }

  private static func wideResNet(depth: Int, width: Int, _ classes: Int) throws -> Sequential {
    guard depth >= 10, depth % 6 == 4 else {
      throw ModelError("wrn: depth must be 6n + 4 (10, 16, 22, 28, 34, ...), is \(depth)")
    }
    return Sequential {
      Conv2d("conv1", channels: 16, kernel: 3, padding: 1)
      for stage in 0..<3 {
        for index in 0..<(depth - 4) / 6 { wideBlock(stage, index, width) }
      }
      BatchNorm2d("bn1")
      ReLU()
      GlobalAvgPool()
      Linear("fc", features: classes)
    }
  }

  private static func wideBlock(_ stage: Int, _ index: Int, _ width: Int) -> Block {
    let changesChannels = index == 0 && (stage > 0 || width > 1)
    return PreActivationBlock(
      name: "block\(stage + 1).layer.\(index)", channels: 16 * width << stage,
      stride: stage > 0 && index == 0 ? 2 : 1,
      projection: changesChannels ? "convShortcut" : nil
    ).block
  }
}
