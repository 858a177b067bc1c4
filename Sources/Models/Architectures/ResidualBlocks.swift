// The blocks of ResNet (He et al. 2015), which its published forms share.

/// A residual block's place and size.
struct BlockShape: Sendable {
  var name: String
  var isFirstOfStage: Bool
  /// Channels inside the block; those before it follow from its place.
  var channels, stride: Int

  /// Stages named layer1, layer2, ...; each doubles the channels and, but for the first, halves the
  /// image.
  static func stages(_ blocks: [Int], width: Int) -> [BlockShape] {
    blocks.enumerated().flatMap { stage, count in
      (0..<count).map { index in
        BlockShape(
          name: "layer\(stage + 1).\(index)", isFirstOfStage: index == 0,
          channels: width << stage, stride: stage > 0 && index == 0 ? 2 : 1)
      }
    }
  }
}

/// How a shortcut changes the number of channels (He et al. 2015, section 4.1).
enum Shortcut {
  /// Option A: every second pixel, with zeros for the new channels.
  case padding
  /// Option B: a 1x1 convolution and a batch norm.
  case projection(named: String)

  func modules(channels: Int, stride: Int) -> [any Module] {
    switch self {
    case .padding: [OptionAShortcut(channels: channels, stride: stride)]
    case .projection(let name):
      [
        Sequential(name) {
          Conv2d(channels: channels, kernel: 1, stride: stride)
          BatchNorm2d()
        }
      ]
    }
  }
}

enum ResidualBlock {
  /// Two 3x3 convolutions.
  case basic
  /// A 3x3 convolution between two 1x1, which leave four times the channels; the 3x3 one has the
  /// stride, as in torchvision.
  case bottleneck

  func module(_ shape: BlockShape, _ shortcut: Shortcut) -> Block {
    let changesShape = shape.stride > 1 || self == .bottleneck && shape.isFirstOfStage
    return Block(shape.name) {
      Residual {
        switch self {
        case .basic: basic(shape)
        case .bottleneck: bottleneck(shape)
        }
      } shortcut: {
        if changesShape {
          shortcut.modules(channels: shape.channels * expansion, stride: shape.stride)
        }
      }
      ReLU()
    }
  }

  private var expansion: Int { self == .basic ? 1 : 4 }

  private func basic(_ shape: BlockShape) -> Sequential {
    Sequential {
      Conv2d("conv1", channels: shape.channels, kernel: 3, stride: shape.stride, padding: 1)
      BatchNorm2d("bn1")
      ReLU()
      Conv2d("conv2", channels: shape.channels, kernel: 3, padding: 1)
      BatchNorm2d("bn2")
    }
  }

  private func bottleneck(_ shape: BlockShape) -> Sequential {
    Sequential {
      Conv2d("conv1", channels: shape.channels, kernel: 1)
      BatchNorm2d("bn1")
      ReLU()
      Conv2d("conv2", channels: shape.channels, kernel: 3, stride: shape.stride, padding: 1)
      BatchNorm2d("bn2")
      ReLU()
      Conv2d("conv3", channels: shape.channels * expansion, kernel: 1)
      BatchNorm2d("bn3")
    }
  }
}
