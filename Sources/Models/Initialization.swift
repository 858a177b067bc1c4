import Foundation
import IR

/// How a family's reference code draws its first weights. Batch norms start as the identity.
public struct Initialization: Sendable {
  enum Weights: Sendable {
    /// PyTorch's default: uniform within 1 / sqrt(fan in), which is kaiming_uniform(a = sqrt 5).
    case torch
    /// Normal with variance 2 / fan in (He et al. 2015).
    case fanIn
    /// Normal with variance 2 / (k * k * output channels).
    case fanOut
    case normal(deviation: Double)
  }

  enum Biases: Sendable {
    /// PyTorch's default: uniform within 1 / sqrt(fan in).
    case torch
    case constant(Float)
  }

  enum Draw: Equatable {
    case constant(Float)
    case uniform(bound: Double)
    case normal(deviation: Double)
  }

  /// As the header of a network's graph gives it.
  var name: String
  var convolutions = Weights.torch
  var linears = Weights.torch
  var convolutionBiases = Biases.torch
  var linearBiases = Biases.torch
  /// Whether the last linear layer starts as zero.
  var lastIsZero = false

  public static let torch = Initialization(name: "torch")
  /// akamaster/pytorch_resnet_cifar10.
  public static let kaimingNormal = Initialization(
    name: "kaiming-normal", convolutions: .fanIn, linears: .fanIn)
  /// Zagoruyko and Komodakis 2016, as TRADES has it.
  public static let wideResNet = Initialization(
    name: "wide-resnet", convolutions: .fanOut, linearBiases: .constant(0))
  /// torchvision.
  public static let imageNetResNet = Initialization(
    name: "imagenet-resnet", convolutions: .fanOut)
  /// torchvision.
  public static let imageNetDenseNet = Initialization(
    name: "imagenet-densenet", convolutions: .fanIn, linearBiases: .constant(0))
  /// TRADES, for MNIST.
  public static let trades = Initialization(
    name: "trades", convolutions: .fanIn, convolutionBiases: .constant(0), lastIsZero: true)
  /// Madry et al. draw again what lies beyond two deviations of 0.1, which leaves 0.88 of them.
  public static let madry = Initialization(
    name: "madry", convolutions: .normal(deviation: 0.088), linears: .normal(deviation: 0.088),
    convolutionBiases: .constant(0.1), linearBiases: .constant(0.1))

  static let all = [
    torch, kaimingNormal, wideResNet, imageNetResNet, imageNetDenseNet, trades, madry,
  ]

  /// The distribution of a tensor.
  ///
  /// - Parameters:
  ///   - weight: shape of the weight beside a bias; the tensor's own for a weight.
  ///   - isLast: whether it belongs to the last linear layer.
  func draw(_ kind: ParameterInfo.Kind, weight: [Int], isLast: Bool) -> Draw {
    let fanIn = Double(max(1, weight.dropFirst().reduce(1, *)))
    let isConvolution = weight.count == 4
    if isLast && lastIsZero { return .constant(0) }
    switch kind {
    case .gamma, .runningVar: return .constant(1)
    case .beta, .runningMean: return .constant(0)
    case .bias:
      switch isConvolution ? convolutionBiases : linearBiases {
      case .torch: return .uniform(bound: 1 / fanIn.squareRoot())
      case .constant(let value): return .constant(value)
      }
    case .weight:
      switch isConvolution ? convolutions : linears {
      case .torch: return .uniform(bound: 1 / fanIn.squareRoot())
      case .fanIn: return .normal(deviation: (2 / fanIn).squareRoot())
      case .fanOut:
        let fanOut = Double(weight[0] * weight.dropFirst(2).reduce(1, *))
        return .normal(deviation: (2 / fanOut).squareRoot())
      case .normal(let deviation): return .normal(deviation: deviation)
      }
    }
  }
}

extension Model {
  /// First values of all parameters and buffers, by name, in PyTorch's layouts.
  ///
  /// Every value depends on the seed, the tensor's position and its own alone. The distribution is
  /// that of the family's reference code; batch norms start as the identity.
  public func initialValues(seed: UInt64) -> [String: [Float]] {
    let stream = RandomStream(seed: seed, epoch: 0, purpose: .weights)
    let shapes = Dictionary(parameters.map { ($0.name, $0.shape) }) { first, _ in first }
    let last = allLayers.last { $0.kind == .linear }?.name ?? ""
    var values: [String: [Float]] = [:]
    let weights = Dictionary(
      allLayers.compactMap { layer in layer.bias.map { ($0, layer.weight) } }
    ) { first, _ in first }
    for (item, parameter) in parameters.enumerated() {
      let weight = weights[parameter.name].flatMap { shapes[$0] } ?? parameter.shape
      let draw = architecture.initialization.draw(
        parameter.kind, weight: weight, isLast: parameter.name.hasPrefix("\(last)."))
      values[parameter.name] = stream.sample(draw, count: parameter.count, item: item)
    }
    return values
  }
}

extension RandomStream {
  fileprivate func sample(_ draw: Initialization.Draw, count: Int, item: Int) -> [Float] {
    switch draw {
    case .constant(let value): return [Float](repeating: value, count: count)
    case .uniform(let bound):
      return fill(count, item) { word in (2 * Double(Philox.uniform(word)) - 1) * bound }
    case .normal(let deviation): return normals(deviation, count, item)
    }
  }

  private func fill(_ count: Int, _ item: Int, _ value: (UInt32) -> Double) -> [Float] {
    quads(count, item) { a, b, c, d in
      (Float(value(a)), Float(value(b)), Float(value(c)), Float(value(d)))
    }
  }

  /// Box and Muller (1958): two normal numbers from two uniform ones.
  private func normals(_ deviation: Double, _ count: Int, _ item: Int) -> [Float] {
    func pair(_ radial: UInt32, _ angular: UInt32) -> (Float, Float) {
      let radius = deviation * (-2 * log(Double(Philox.uniform(radial)) + 0x1p-24)).squareRoot()
      let angle = 2 * Double.pi * Double(Philox.uniform(angular))
      return (Float(radius * cos(angle)), Float(radius * sin(angle)))
    }
    return quads(count, item) { a, b, c, d in
      let (first, second) = (pair(a, b), pair(c, d))
      return (first.0, first.1, second.0, second.1)
    }
  }

  /// `count` numbers, four from every four words.
  private func quads(
    _ count: Int, _ item: Int,
    _ make: (UInt32, UInt32, UInt32, UInt32) -> (Float, Float, Float, Float)
  ) -> [Float] {
    [Float](unsafeUninitializedCapacity: (count + 3) / 4 * 4) { buffer, initialized in
      for index in 0..<(count + 3) / 4 {
        let (a, b, c, d) = words(item: item, index: index)
        let numbers = make(a, b, c, d)
        buffer[4 * index] = numbers.0
        buffer[4 * index + 1] = numbers.1
        buffer[4 * index + 2] = numbers.2
        buffer[4 * index + 3] = numbers.3
      }
      initialized = count
    }
  }
}
