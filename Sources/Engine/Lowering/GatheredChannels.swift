import IR

/// The channels that one call of a direct kernel sums over and produces, and how many calls there
/// are: one for each group of a convolution, which reads and writes its own channels of the
/// tensors; one for all of a depthwise convolution, whose kernel keeps channels apart.
struct GatheredChannels: Hashable {
  var `in`, out, calls: Int
  var isDepthwise = false

  /// The same for the input gradient.
  var transposed: GatheredChannels {
    isDepthwise ? self : GatheredChannels(in: out, out: self.in, calls: calls)
  }
}

extension ConvolutionShape {
  var gathered: GatheredChannels {
    isDepthwise
      ? GatheredChannels(in: 1, out: outChannels, calls: 1, isDepthwise: true)
      : GatheredChannels(in: inChannels / groups, out: outChannels / groups, calls: groups)
  }
}
