// Pre-activation ResNet (He et al. 2016), with the names of kuangliu/pytorch-cifar. There no batch
// norm follows the last block; the code of Fast-AT, AWP and robust overfitting adds one:
// `final-norm=yes`.

extension Architecture {
  static let preActResNets: [Architecture] = [
    preActResNet("preact-resnet18", blocks: [2, 2, 2, 2]),
    preActResNet("preact-resnet34", blocks: [3, 4, 6, 3]),
  ]

  private static func preActResNet(_ name: String, blocks: [Int]) -> Architecture {
    Architecture(
      name: name,
      parameters: [.width(64), .choice("final-norm", ["no", "yes"], default: "no")]
    ) { arguments, classes in
      let width = arguments.int("width")
      return Sequential {
        Conv2d("conv1", channels: width, kernel: 3, padding: 1)
        for shape in BlockShape.stages(blocks, width: width) {
          PreActivationBlock.preActResNet(projects: shape.stride > 1)
            .module(shape.name, channels: shape.channels, stride: shape.stride)
        }
        if arguments["final-norm"] == "yes" {
          BatchNorm2d("bn")
          ReLU()
        }
        GlobalAvgPool()
        Linear("linear", features: classes)
      }
    }
  }
}

extension PreActivationBlock {
  fileprivate static func preActResNet(projects: Bool) -> PreActivationBlock {
    PreActivationBlock(projection: "shortcut.0", projects: projects)
  }
}
