import Models

extension Architecture {
  /// Two stages of residual blocks. `mynet:width=32` makes it wider.
  static let myNet = Architecture(name: "mynet", parameters: [.width(16)]) { arguments, classes in
    let width = arguments.int("width")
    return Sequential {
      Conv2d("conv1", channels: width, kernel: 3, padding: 1)
      BatchNorm2d("bn1")
      ReLU()
      block("layer1", channels: width)
      Conv2d("down", channels: 2 * width, kernel: 3, stride: 2, padding: 1)
      BatchNorm2d("bn2")
      ReLU()
      block("layer2", channels: 2 * width)
      GlobalAvgPool()
      Linear("linear", features: classes)
    }
  }

  private static func block(_ name: String, channels: Int) -> Block {
    Block(name) {
      Residual {
        Conv2d("conv1", channels: channels, kernel: 3, padding: 1)
        BatchNorm2d("bn1")
        ReLU()
        Conv2d("conv2", channels: channels, kernel: 3, padding: 1)
        BatchNorm2d("bn2")
      }
      ReLU()
    }
  }
}
