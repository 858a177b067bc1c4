// The networks for MNIST that adversarial training is measured on.

extension Architecture {
  static let mnistNetworks: [Architecture] = [
    // Madry et al. 2018 (MadryLab/mnist_challenge), with the names that its ports to PyTorch use.
    Architecture(
      name: "mnist-madry", parameters: [.width(32), .hidden(1024)], initialization: .madry,
      input: .mnist
    ) { arguments, classes in
      let width = arguments.int("width")
      return Sequential {
        for index in 1...2 {
          Conv2d("conv\(index)", channels: width * index, kernel: 5, padding: 2, bias: true)
          ReLU()
          MaxPool2d(kernel: 2)
        }
        Flatten()
        Linear("fc1", features: arguments.int("hidden"))
        ReLU()
        Linear("fc2", features: classes)
      }
    },
    // Zhang et al. 2019 (TRADES), the published checkpoint's.
    Architecture(
      name: "mnist-trades", parameters: [.width(32), .hidden(200), .dropout(0.5)],
      initialization: .trades, input: .mnist
    ) { arguments, classes in
      let (width, hidden) = (arguments.int("width"), arguments.int("hidden"))
      return Sequential {
        Sequential("feature_extractor") {
          for index in 1...4 {
            Conv2d("conv\(index)", channels: index < 3 ? width : 2 * width, kernel: 3, bias: true)
            ReLU()
            if index % 2 == 0 { MaxPool2d(kernel: 2) }
          }
        }
        Flatten()
        Sequential("classifier") {
          Linear("fc1", features: hidden)
          ReLU()
          Dropout(arguments.double("dropout"))
          Linear("fc2", features: hidden)
          ReLU()
          Linear("fc3", features: classes)
        }
      }
    },
  ]
}

extension ArchitectureParameter {
  /// Features of hidden linear layers.
  static func hidden(_ value: Int) -> ArchitectureParameter {
    integer("hidden", 1...65536, default: value)
  }

  /// The rate between linear layers, in training.
  static func dropout(_ value: Double) -> ArchitectureParameter {
    fraction("dropout", default: value)
  }
}
