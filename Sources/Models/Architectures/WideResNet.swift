// WideResNet (Zagoruyko and Komodakis 2016), with the names of TRADES and RobustBench.

extension Architecture {
  static let wideResNets: [Architecture] = [
    Architecture(
      name: "wrn", parameters: [.depth(34), .width(10)], initialization: .wideResNet
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
    let blocks = try WideStage.blocks(depth: depth)
    return Sequential {
      Conv2d("conv1", channels: 16, kernel: 3, padding: 1)
      for stage in WideStage.three(blocks, width: width) {
        for index in 0..<stage.blocks {
          PreActivationBlock(projection: "convShortcut", projects: stage.projects(index))
            .module(
              "block\(stage.index + 1).layer.\(index)", channels: stage.channels,
              stride: stage.stride(index))
        }
      }
      BatchNorm2d("bn1")
      ReLU()
      GlobalAvgPool()
      Linear("fc", features: classes)
    }
  }
}

extension ArchitectureParameter {
  static func depth(_ value: Int) -> ArchitectureParameter {
    integer("depth", 10...1000, default: value)
  }
}

/// One of the three stages of pre-activation blocks.
struct WideStage: Sendable {
  var index: Int
  var blocks: Int
  var channels: Int
  /// Channels before the stage.
  var input: Int

  /// Blocks a stage.
  static func blocks(depth: Int) throws -> Int {
    guard depth >= 10, depth % 6 == 4 else {
      throw ModelError("wrn: depth must be 6n + 4 (10, 16, 22, 28, 34, ...), is \(depth)")
    }
    return (depth - 4) / 6
  }

  /// Stages of 16, 32 and 64 times `width` channels behind a stem of 16.
  static func three(_ blocks: Int, width: Int) -> [WideStage] {
    [
      WideStage(index: 0, blocks: blocks, channels: 16 * width, input: 16),
      WideStage(index: 1, blocks: blocks, channels: 32 * width, input: 16 * width),
      WideStage(index: 2, blocks: blocks, channels: 64 * width, input: 32 * width),
    ]
  }

  func projects(_ block: Int) -> Bool { block == 0 && input != channels }
  func stride(_ block: Int) -> Int { index > 0 && block == 0 ? 2 : 1 }
}
