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
  ]
}

extension ArchitectureParameter {
  /// Features of hidden linear layers.
  static func hidden(_ value: Int) -> ArchitectureParameter {
    integer("hidden", 1...65536, default: value)
  }
}
