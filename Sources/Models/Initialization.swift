import Foundation
import IR

/// How a family's reference code draws its first weights.
enum Initialization: Sendable {
  /// PyTorch's default: weights and biases uniform within 1 / sqrt(fan in), which is
  /// kaiming_uniform(a = sqrt 5).
  case torch
  /// Weights normal with variance 2 / fan in (He et al. 2015); biases as in `torch`.
  case kaimingNormal
  /// Convolutions normal with variance 2 / (k * k * output channels), linear weights as in `torch`,
  /// linear biases zero (Zagoruyko and Komodakis 2016, as TRADES has it).
  case wideResNet

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
    for (item, parameter) in parameters.enumerated() {
      let sibling = parameter.name.dropLast("bias".count) + "weight"
      let weight =
        parameter.kind == .bias ? shapes[String(sibling)] ?? parameter.shape : parameter.shape
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
    var result = [Float]()
    result.reserveCapacity(count + 3)
    while result.count < count {
      let (a, b, c, d) = words(item: item, index: result.count / 4)
      result.append(Float(value(a)))
      result.append(Float(value(b)))
      result.append(Float(value(c)))
      result.append(Float(value(d)))
    }
    result.removeLast(result.count - count)
    return result
  }

  /// Box and Muller (1958): two normal numbers from two uniform ones.
  private func normals(_ deviation: Double, _ count: Int, _ item: Int) -> [Float] {
    var result = [Float]()
    result.reserveCapacity(count + 3)
    while result.count < count {
      let (a, b, c, d) = words(item: item, index: result.count / 4)
      for (radial, angular) in [(a, b), (c, d)] {
        let radius = deviation * (-2 * log(Double(Philox.uniform(radial)) + 0x1p-24)).squareRoot()
        let angle = 2 * Double.pi * Double(Philox.uniform(angular))
        result.append(Float(radius * cos(angle)))
        result.append(Float(radius * sin(angle)))
      }
    }
    result.removeLast(result.count - count)
    return result
  }
}
