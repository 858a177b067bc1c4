// ResNet for small images (He et al. 2015), with the names of kuangliu/pytorch-cifar.

extension Architecture {
  static let resNets: [Architecture] = [
    resNet("resnet18", blocks: [2, 2, 2, 2], basicBlock),
    resNet("resnet34", blocks: [3, 4, 6, 3], basicBlock),
    resNet("resnet50", blocks: [3, 4, 6, 3], bottleneck),
  ]

  private static func resNet(
    _ name: String, blocks: [Int], _ block: @escaping @Sendable (BlockShape) -> Block
  ) -> Architecture {
    Architecture(name: name, parameters: [.width(64)]) { arguments, classes in
      let width = arguments.int("width")
      return Sequential {
        Conv2d("conv1", channels: width, kernel: 3, padding: 1)
        BatchNorm2d("bn1")
        ReLU()
        for shape in BlockShape.stages(blocks, width: width) { block(shape) }
        GlobalAvgPool()
        Linear("linear", features: classes)
      }
    }
  }
}

/// A residual block's place and size.
struct BlockShape: Sendable {
  var name: String
  /// Whether the block is the first of its stage, and of the network.
  var isFirstOfStage, isFirst: Bool
  /// Channels inside the block; those before it follow from its place.
  var channels, stride: Int

  /// Stages named layer1, layer2, ...; each doubles the channels and, but for the first, halves the
  /// image.
  static func stages(_ blocks: [Int], width: Int) -> [BlockShape] {
    blocks.enumerated().flatMap { stage, count in
      (0..<count).map { index in
        BlockShape(
          name: "layer\(stage + 1).\(index)", isFirstOfStage: index == 0,
          isFirst: stage == 0 && index == 0, channels: width << stage,
          stride: stage > 0 && index == 0 ? 2 : 1)
      }
    }
  }
}

@Sendable private func basicBlock(_ shape: BlockShape) -> Block {
  Block(shape.name) {
    Residual {
      Conv2d("conv1", channels: shape.channels, kernel: 3, stride: shape.stride, padding: 1)
      BatchNorm2d("bn1")
      ReLU()
      Conv2d("conv2", channels: shape.channels, kernel: 3, padding: 1)
      BatchNorm2d("bn2")
    } shortcut: {
      if shape.stride > 1 { projection(channels: shape.channels, stride: shape.stride) }
    }
    ReLU()
  }
}

@Sendable private func bottleneck(_ shape: BlockShape) -> Block {
  Block(shape.name) {
    Residual {
      Conv2d("conv1", channels: shape.channels, kernel: 1)
      BatchNorm2d("bn1")
      ReLU()
      Conv2d("conv2", channels: shape.channels, kernel: 3, stride: shape.stride, padding: 1)
      BatchNorm2d("bn2")
      ReLU()
      Conv2d("conv3", channels: 4 * shape.channels, kernel: 1)
      BatchNorm2d("bn3")
    } shortcut: {
      if shape.isFirstOfStage { projection(channels: 4 * shape.channels, stride: shape.stride) }
    }
    ReLU()
  }
}

/// The shortcut of option B: a 1x1 convolution and a batch norm.
func projection(channels: Int, stride: Int) -> Sequential {
  Sequential("shortcut") {
    Conv2d(channels: channels, kernel: 1, stride: stride)
    BatchNorm2d()
  }
}
