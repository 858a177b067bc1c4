// DenseNet-BC (Huang et al. 2017), with the names of kuangliu/pytorch-cifar.

extension Architecture {
  static let denseNets: [Architecture] = [
    denseNet("densenet121", layers: [6, 12, 24, 16], criticalCount: 5)
  ]

  private static func denseNet(_ name: String, layers: [Int], criticalCount: Int) -> Architecture {
    Architecture(
      name: name, parameters: [.integer("growth", 1...1024, default: 32)],
      criticalCount: criticalCount
    ) { arguments, classes in
      let growth = arguments.int("growth")
      let channels = transitionChannels(layers, growth)
      return Sequential {
        Conv2d("conv1", channels: 2 * growth, kernel: 3, padding: 1)
        for (stage, count) in layers.enumerated() {
          for index in 0..<count { denseLayer("dense\(stage + 1).\(index)", growth) }
          if stage < layers.count - 1 { transition("trans\(stage + 1)", channels[stage]) }
        }
        BatchNorm2d("bn")
        ReLU()
        GlobalAvgPool()
        Linear("linear", features: classes)
      }
    }
  }

  /// Channels after each transition: half of those before it.
  private static func transitionChannels(_ layers: [Int], _ growth: Int) -> [Int] {
    var channels = 2 * growth
    return layers.map { count in
      channels = (channels + count * growth) / 2
      return channels
    }
  }

  private static func denseLayer(_ name: String, _ growth: Int) -> Block {
    Block(name) {
      DenseConnection {
        BatchNorm2d("bn1")
        ReLU()
        Conv2d("conv1", channels: 4 * growth, kernel: 1)
        BatchNorm2d("bn2")
        ReLU()
        Conv2d("conv2", channels: growth, kernel: 3, padding: 1)
      }
    }
  }

  private static func transition(_ name: String, _ channels: Int) -> Block {
    Block(name) {
      BatchNorm2d("bn")
      ReLU()
      Conv2d("conv", channels: channels, kernel: 1)
      AvgPool2d(kernel: 2)
    }
  }
}
