// DenseNet-BC (Huang et al. 2017), for small images with the names of kuangliu/pytorch-cifar, for
// ImageNet with those of torchvision.

extension Architecture {
  static let denseNets: [Architecture] = [
    Architecture(
      name: "densenet121", parameters: [.growth], criticalCount: 5
    ) { arguments, classes in
      let growth = arguments.int("growth")
      return Sequential {
        Conv2d("conv1", channels: 2 * growth, kernel: 3, padding: 1)
        SmallDenseNet().body([6, 12, 24, 16], growth)
        Linear("linear", features: classes)
      }
    },
    Architecture(
      name: "densenet121-imagenet", parameters: [.growth], initialization: .imageNetDenseNet,
      criticalCount: 5, input: .imageNet
    ) { arguments, classes in
      let growth = arguments.int("growth")
      return Sequential {
        Sequential("features") {
          imageNetStem("conv0", "norm0", 2 * growth)
          ImageNetDenseNet().body([6, 12, 24, 16], growth)
        }
        Linear("classifier", features: classes)
      }
    },
  ]
}

extension ArchitectureParameter {
  fileprivate static let growth = integer("growth", 1...1024, default: 32)
}

/// What the two forms call their parts, and where a layer's new channels stand.
private protocol DenseNetForm {
  var norm: String { get }
  var lastNorm: String { get }
  var placement: DenseConnection.Placement { get }
  func layer(_ stage: Int, _ index: Int) -> String
  func transition(_ stage: Int) -> String
}

private struct SmallDenseNet: DenseNetForm {
  let norm = "bn"
  let lastNorm = "bn"
  let placement = DenseConnection.Placement.before
  func layer(_ stage: Int, _ index: Int) -> String { "dense\(stage + 1).\(index)" }
  func transition(_ stage: Int) -> String { "trans\(stage + 1)" }
}

private struct ImageNetDenseNet: DenseNetForm {
  let norm = "norm"
  let lastNorm = "norm5"
  let placement = DenseConnection.Placement.after
  func layer(_ stage: Int, _ index: Int) -> String {
    "denseblock\(stage + 1).denselayer\(index + 1)"
  }
  func transition(_ stage: Int) -> String { "transition\(stage + 1)" }
}

extension DenseNetForm {
  /// Stages of dense layers, from `2 * growth` channels to features [N, C].
  func body(_ layers: [Int], _ growth: Int) -> Sequential {
    let channels = transitionChannels(layers, growth)
    return Sequential {
      for (stage, count) in layers.enumerated() {
        for index in 0..<count { denseLayer(layer(stage, index), growth) }
        if stage < layers.count - 1 { transitionLayer(transition(stage), channels[stage]) }
      }
      BatchNorm2d(lastNorm)
      ReLU()
      GlobalAvgPool()
    }
  }

  /// Channels after each transition: half of those before it.
  private func transitionChannels(_ layers: [Int], _ growth: Int) -> [Int] {
    var channels = 2 * growth
    return layers.map { count in
      channels = (channels + count * growth) / 2
      return channels
    }
  }

  private func denseLayer(_ name: String, _ growth: Int) -> Block {
    Block(name) {
      DenseConnection(placement) {
        BatchNorm2d("\(norm)1")
        ReLU()
        Conv2d("conv1", channels: 4 * growth, kernel: 1)
        BatchNorm2d("\(norm)2")
        ReLU()
        Conv2d("conv2", channels: growth, kernel: 3, padding: 1)
      }
    }
  }

  private func transitionLayer(_ name: String, _ channels: Int) -> Block {
    Block(name) {
      BatchNorm2d(norm)
      ReLU()
      Conv2d("conv", channels: channels, kernel: 1)
      AvgPool2d(kernel: 2)
    }
  }
}
