// VGG with batch norm (Simonyan and Zisserman 2015), with the names of kuangliu/pytorch-cifar: one
// flat sequence `features`, whose convolutions have biases, and a linear `classifier`.

extension Architecture {
  static let vggs: [Architecture] = [
    vgg("vgg16", convolutions: [2, 2, 3, 3, 3]), vgg("vgg19", convolutions: [2, 2, 4, 4, 4]),
  ]

  private static func vgg(_ name: String, convolutions: [Int]) -> Architecture {
    Architecture(name: name, parameters: [.width(64)]) { arguments, classes in
      let width = arguments.int("width")
      return Sequential {
        Sequential("features") {
          for (stage, count) in convolutions.enumerated() {
            for _ in 0..<count {
              Conv2d(channels: width << min(stage, 3), kernel: 3, padding: 1, bias: true)
              BatchNorm2d()
              ReLU()
            }
            MaxPool2d(kernel: 2)
          }
        }
        Flatten()
        Linear("classifier", features: classes)
      }
    }
  }
}
