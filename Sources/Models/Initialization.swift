import Foundation
import IR

/// How a family's reference code draws its first weights.
enum Initialization: String, Sendable, CaseIterable {
  /// PyTorch's default: weights and biases uniform within 1 / sqrt(fan in), which is
  /// kaiming_uniform(a = sqrt 5).
  case torch
  /// Weights normal with variance 2 / fan in (He et al. 2015); biases as in `torch`.
  case kaimingNormal = "kaiming-normal"
  /// Convolutions normal with variance 2 / (k * k * output channels), linear weights as in `torch`,
  /// linear biases zero (Zagoruyko and Komodakis 2016, as TRADES has it).
  case wideResNet = "wide-resnet"

  enum Draw: Equatable {
    case constant(Float)
    case uniform(bound: Double)
    case normal(deviation: Double)
  }

  /// The distribution of a tensor.
  ///
  /// - Parameter weight: shape of the weight beside a bias; the tensor's own for a weight.
  func draw(_ kind: ParameterInfo.Kind, weight: [Int]) -> Draw {
    let fanIn = Double(max(1, weight.dropFirst().reduce(1, *)))
    switch kind {
    case .gamma, .runningVar: return .constant(1)
    case .beta, .runningMean: return .constant(0)
    case .bias: return self == .wideResNet ? .constant(0) : .uniform(bound: 1 / fanIn.squareRoot())
    case .weight:
      switch self {
      case .kaimingNormal: return .normal(deviation: (2 / fanIn).squareRoot())
      case .wideResNet where weight.count == 4:
        let fanOut = Double(weight[0] * weight[2] * weight[3])
        return .normal(deviation: (2 / fanOut).squareRoot())
      case .torch, .wideResNet: return .uniform(bound: 1 / fanIn.squareRoot())
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
    var values: [String: [Float]] = [:]
    let weights = Dictionary(
      allLayers.compactMap { layer in layer.bias.map { ($0, layer.weight) } }
    ) { first, _ in first }
    for (item, parameter) in parameters.enumerated() {
      let weight = weights[parameter.name].flatMap { shapes[$0] } ?? parameter.shape
      let draw = architecture.initialization.draw(parameter.kind, weight: weight)
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
