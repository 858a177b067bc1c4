// ResNet (He et al. 2015) in its three published forms, each with the names of the code whose
// weights circulate: kuangliu/pytorch-cifar, torchvision (ImageNet), and
// akamaster/pytorch_resnet_cifar10.

extension Architecture {
  static let resNets: [Architecture] = ResNet.all.map { net in
    Architecture(name: "resnet\(net.depth)", parameters: [.width(64)]) { arguments, classes in
      net.network(
        smallImageStem(arguments.int("width")), arguments.int("width"),
        .projection(named: "shortcut"), Linear("linear", features: classes))
    }
  }

  static let imageNetResNets: [Architecture] = ResNet.all.map { net in
    Architecture(
      name: "resnet\(net.depth)-imagenet", parameters: [.width(64)],
      initialization: .imageNetResNet, input: .imageNet
    ) { arguments, classes in
      net.network(
        imageNetStem("conv1", "bn1", arguments.int("width")), arguments.int("width"),
        .projection(named: "downsample"), Linear("fc", features: classes))
    }
  }

  /// Three stages of (depth - 2) / 6 blocks, from 16 channels.
  static let cifarResNets: [Architecture] = [20, 32, 44, 56].map { depth in
    let net = ResNet(depth: depth, block: .basic, blocks: Array(repeating: (depth - 2) / 6, count: 3))
    return Architecture(
      name: "resnet\(depth)",
      parameters: [.width(16), .choice("shortcut", ["A", "B"], default: "A")],
      initialization: .kaimingNormal
    ) { arguments, classes in
      net.network(
        smallImageStem(arguments.int("width")), arguments.int("width"),
        arguments["shortcut"] == "A" ? .padding : .projection(named: "shortcut"),
        Linear("linear", features: classes))
    }
  }
}

/// Stages of residual blocks between a stem and a linear layer.
private struct ResNet: Sendable {
  var depth: Int
  var block: ResidualBlock
  /// By stage.
  var blocks: [Int]

  static let all = [
    ResNet(depth: 18, block: .basic, blocks: [2, 2, 2, 2]),
    ResNet(depth: 34, block: .basic, blocks: [3, 4, 6, 3]),
    ResNet(depth: 50, block: .bottleneck, blocks: [3, 4, 6, 3]),
    ResNet(depth: 101, block: .bottleneck, blocks: [3, 4, 23, 3]),
  ]

  func network(
    _ stem: Sequential, _ width: Int, _ shortcut: Shortcut, _ linear: Linear
  ) -> Sequential {
    Sequential {
      stem
      for shape in BlockShape.stages(blocks, width: width) { block.module(shape, shortcut) }
      GlobalAvgPool()
      linear
    }
  }
}

private func smallImageStem(_ channels: Int) -> Sequential {
  Sequential {
    Conv2d("conv1", channels: channels, kernel: 3, padding: 1)
    BatchNorm2d("bn1")
    ReLU()
  }
}

/// The first layers of networks for ImageNet; they divide the image's sides by four.
func imageNetStem(_ convolution: String, _ norm: String, _ channels: Int) -> Sequential {
  Sequential {
    Conv2d(convolution, channels: channels, kernel: 7, stride: 2, padding: 3)
    BatchNorm2d(norm)
    ReLU()
    MaxPool2d(kernel: 3, stride: 2, padding: 1)
  }
}
