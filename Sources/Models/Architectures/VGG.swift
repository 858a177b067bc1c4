// VGG with batch norm (Simonyan and Zisserman 2015): one flat sequence `features`, whose
// convolutions have biases, and a `classifier`. That is one linear layer in kuangliu/pytorch-cifar
// (`vgg19`), three in weiaicunzai/pytorch-cifar100 (`vgg19-mlp`, the CLAT paper's).

extension Architecture {
  static let vggs: [Architecture] =
    ["vgg16", "vgg19"].map { name in
      Architecture(name: name, parameters: [.width(64)]) { arguments, classes in
        Sequential {
          features(name, arguments.int("width"))
          Linear("classifier", features: classes)
        }
      }
    }
    + ["vgg16", "vgg19"].map { name in
      Architecture(
        name: "\(name)-mlp", parameters: [.width(64), .hidden(4096), .dropout(0.5)]
      ) { arguments, classes in
        let hidden = arguments.int("hidden")
        return Sequential {
          features(name, arguments.int("width"))
          Sequential("classifier") {
            for _ in 0..<2 {
              Linear(features: hidden)
              ReLU()
              Dropout(arguments.double("dropout"))
            }
            Linear(features: classes)
          }
        }
      }
    }

  /// Convolutions by stage.
  private static let stages = ["vgg16": [2, 2, 3, 3, 3], "vgg19": [2, 2, 4, 4, 4]]

  private static func features(_ name: String, _ width: Int) -> Sequential {
    Sequential {
      Sequential("features") {
        for (stage, count) in (stages[name] ?? []).enumerated() {
          for _ in 0..<count {
            Conv2d(channels: width << min(stage, 3), kernel: 3, padding: 1, bias: true)
            BatchNorm2d()
            ReLU()
          }
          MaxPool2d(kernel: 2)
        }
      }
      Flatten()
    }
  }
}
