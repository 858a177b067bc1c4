// Pre-activation ResNet (He et al. 2016), with the names of kuangliu/pytorch-cifar. As there, no
// batch norm follows the last block.

extension Architecture {
  static let preActResNets: [Architecture] = [
    preActResNet("preact-resnet18", blocks: [2, 2, 2, 2]),
    preActResNet("preact-resnet34", blocks: [3, 4, 6, 3]),
  ]

  private static func preActResNet(_ name: String, blocks: [Int]) -> Architecture {
    Architecture(name: name, parameters: [.width(64)]) { arguments, classes in
      let width = arguments.int("width")
      return Sequential {
        Conv2d("conv1", channels: width, kernel: 3, padding: 1)
        for shape in BlockShape.stages(blocks, width: width) { preActBlock(shape) }
        GlobalAvgPool()
        Linear("linear", features: classes)
      }
    }
  }
}

private func preActBlock(_ shape: BlockShape) -> Block {
  PreActivationBlock(
    name: shape.name, channels: shape.channels, stride: shape.stride,
    projection: shape.stride > 1 ? "shortcut.0" : nil
  ).block
}

/// BN, ReLU, convolution, twice, around which the input is added. A block with a projection applies
/// the first BN and ReLU before both branches; one without adds its raw input.
struct PreActivationBlock {
  var name: String
  var channels, stride: Int
  /// Name of the 1x1 convolution of the shortcut, if there is one.
  var projection: String?

  var block: Block {
    Block(name) {
      if let projection {
        activation
        Residual {
          branch
        } shortcut: {
          Conv2d(projection, channels: channels, kernel: 1, stride: stride)
        }
      } else {
        Residual {
          activation
          branch
        }
      }
    }
  }

  private var activation: Sequential {
    Sequential {
      BatchNorm2d("bn1")
      ReLU()
    }
  }

  private var branch: Sequential {
    Sequential {
      Conv2d("conv1", channels: channels, kernel: 3, stride: stride, padding: 1)
      BatchNorm2d("bn2")
      ReLU()
      Conv2d("conv2", channels: channels, kernel: 3, padding: 1)
    }
  }
}
