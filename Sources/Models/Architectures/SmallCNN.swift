extension Architecture {
  /// Three convolutions and a linear layer: the network of examples and tests.
  static let smallCNN = Architecture(name: "small-cnn", parameters: [.width(16)]) {
    arguments, classes in
    let width = arguments.int("width")
    return Sequential {
      for index in 0..<3 {
        Conv2d(
          "conv\(index + 1)", channels: width << index, kernel: 3, stride: index == 0 ? 1 : 2,
          padding: 1)
        BatchNorm2d("bn\(index + 1)")
        ReLU()
      }
      GlobalAvgPool()
      Linear("linear", features: classes)
    }
  }
}
