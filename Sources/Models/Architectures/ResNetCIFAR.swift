// The ResNets of He et al. 2015 for CIFAR-10, with the names of akamaster/pytorch_resnet_cifar10.

extension Architecture {
  static let cifarResNets: [Architecture] = [20, 32, 44, 56].map(cifarResNet)

  private static func cifarResNet(depth: Int) -> Architecture {
    Architecture(
      name: "resnet\(depth)",
      parameters: [.width(16), .choice("shortcut", ["A", "B"], default: "A")],
      initialization: .kaimingNormal
    ) { arguments, classes in
      let (width, option) = (arguments.int("width"), arguments["shortcut"])
      let blocks = [Int](repeating: (depth - 2) / 6, count: 3)
      return Sequential {
        Conv2d("conv1", channels: width, kernel: 3, padding: 1)
        BatchNorm2d("bn1")
        ReLU()
        for shape in BlockShape.stages(blocks, width: width) { basicBlock(shape, option) }
        GlobalAvgPool()
        Linear("linear", features: classes)
      }
    }
  }

  private static func basicBlock(_ shape: BlockShape, _ option: String) -> Block {
    Block(shape.name) {
      Residual {
        Conv2d("conv1", channels: shape.channels, kernel: 3, stride: shape.stride, padding: 1)
        BatchNorm2d("bn1")
        ReLU()
        Conv2d("conv2", channels: shape.channels, kernel: 3, padding: 1)
        BatchNorm2d("bn2")
      } shortcut: {
        if shape.stride > 1 {
          if option == "A" {
            OptionAShortcut(channels: shape.channels, stride: shape.stride)
          } else {
            projection(channels: shape.channels, stride: shape.stride)
          }
        }
      }
      ReLU()
    }
  }
}
