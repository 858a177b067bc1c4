/// Batch norm, activation, convolution, twice, around which the input is added (He et al. 2016). A
/// block that projects applies the first norm and activation before both branches; one that does
/// not adds its raw input.
struct PreActivationBlock {
  var norms = ["bn1", "bn2"]
  var convolutions = ["conv1", "conv2"]
  /// The 1x1 convolution of the shortcut, and whether there is one.
  var projection: String
  var projects: Bool
  var activation: any Module = ReLU()
  /// Of the norms.
  var momentum = 0.1
  /// Whether the first convolution, where it has stride 2, pads below and to the right alone, as
  /// TensorFlow's "SAME" does for images of even size.
  var padsBehind = false
  /// What follows the second convolution.
  var tail: [any Module] = []

  func module(_ name: String, channels: Int, stride: Int) -> Block {
    Block(name) {
      if projects {
        preActivation
        Residual {
          branch(channels, stride)
        } shortcut: {
          Conv2d(projection, channels: channels, kernel: 1, stride: stride)
        }
      } else {
        Residual {
          preActivation
          branch(channels, stride)
        }
      }
    }
  }

  private var preActivation: Sequential {
    Sequential {
      BatchNorm2d(norms[0], momentum: momentum)
      activation
    }
  }

  private func branch(_ channels: Int, _ stride: Int) -> Sequential {
    let before = padsBehind && stride == 2 ? 0 : 1
    return Sequential {
      Conv2d(
        convolutions[0], channels: channels, kernel: 3, stride: stride, padding: before,
        trailingPadding: 1)
      BatchNorm2d(norms[1], momentum: momentum)
      activation
      Conv2d(convolutions[1], channels: channels, kernel: 3, padding: 1)
      tail
    }
  }
}
