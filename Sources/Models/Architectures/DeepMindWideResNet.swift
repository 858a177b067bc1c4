// WideResNet as in the code of Gowal et al. 2020, whose weights fill RobustBench's first places, and
// RaWRN-70-16 (Peng et al. 2023, poloclub/robust-principles), which derives from it. Both pad where
// they halve the image as TensorFlow does.

extension Architecture {
  static let deepMindWideResNets: [Architecture] = [
    deepMind("dm-wrn-28-10", depth: 28, width: 10), deepMind("dm-wrn-70-16", depth: 70, width: 16),
    Architecture(
      name: "rawrn-70-16",
      parameters: [
        .integer("stem", 1...4096, default: 96), .width(216),
        .integers("depths", 1...1000, default: [30, 31, 10]),
      ],
      initialization: .wideResNet
    ) { arguments, classes in
      DeepMindWideResNet(
        activation: SiLU(), momentum: 0.01, squeezes: true, stem: arguments.int("stem"),
        depths: arguments.ints("depths"), width: arguments.int("width")
      ).network(classes)
    },
  ]

  private static func deepMind(_ name: String, depth: Int, width: Int) -> Architecture {
    Architecture(
      name: name,
      parameters: [
        .depth(depth), .width(width), .choice("activation", ["silu", "relu"], default: "silu"),
      ]
    ) { arguments, classes in
      let blocks = try WideStage.blocks(depth: arguments.int("depth"))
      return DeepMindWideResNet(
        activation: arguments["activation"] == "silu" ? SiLU() : ReLU(), momentum: 0.1,
        squeezes: false, stem: 16, depths: [blocks, blocks, blocks],
        width: 16 * arguments.int("width")
      ).network(classes)
    }
  }
}

/// A stem, three stages of `width`, `2 * width` and `4 * width` channels, and a linear layer.
private struct DeepMindWideResNet {
  var activation: any Module
  /// Of the batch norms.
  var momentum: Double
  /// Whether blocks end in a squeeze-excite to a quarter of their channels.
  var squeezes: Bool
  var stem: Int
  var depths: [Int]
  var width: Int

  func network(_ classes: Int) -> Sequential {
    Sequential {
      Conv2d("init_conv", channels: stem, kernel: 3, padding: 1)
      for stage in stages {
        for index in 0..<stage.blocks {
          block(projects: stage.projects(index), stage.channels).module(
            "layer.\(stage.index).block.\(index)", channels: stage.channels,
            stride: stage.stride(index))
        }
      }
      BatchNorm2d("batchnorm", momentum: momentum)
      activation
      GlobalAvgPool()
      Linear("logits", features: classes)
    }
  }

  private var stages: [WideStage] {
    depths.enumerated().map { index, blocks in
      WideStage(
        index: index, blocks: blocks, channels: width << index,
        input: index == 0 ? stem : width << (index - 1))
    }
  }

  private func block(projects: Bool, _ channels: Int) -> PreActivationBlock {
    PreActivationBlock(
      norms: ["batchnorm_0", "batchnorm_1"], convolutions: ["conv_0", "conv_1"],
      projection: "shortcut", projects: projects, activation: activation, momentum: momentum,
      padsBehind: true, tail: [])
  }
}
