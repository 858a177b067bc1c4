import IR
import Models

/// Which value counts as the feature F_i of a unit. A block's is that of its last main-path layer.
public enum FeatureTap: String, Sendable, CaseIterable {
  /// After the batch norm, residual add and activation that follow the layer; a shortcut's
  /// convolution ends before the residual add.
  case activation
  /// The convolution's, or linear layer's, own output.
  case convolution
  /// The output of the enclosing block.
  case block

  func value(_ feature: LayerFeature) -> ValueID {
    switch self {
    case .activation: feature.activation
    case .convolution: feature.convolution
    case .block: feature.block
    }
  }
}

extension Forward {
  /// The features of some units.
  func features(_ units: [LayerUnit], _ tap: FeatureTap) -> [ValueID] {
    units.map { tap.value(features[$0.index]) }
  }
}

extension Model {
  /// The units of the given indices.
  ///
  /// - Throws: IRError for an index that the model has not.
  func units(at indices: [Int]) throws -> [LayerUnit] {
    try indices.map { index in
      guard units.indices.contains(index) else {
        throw IRError("layer \(index): the model has layers 0...\(units.count - 1)")
      }
      return units[index]
    }
  }
}

extension GraphBuilder {
  /// Notes in the header which features are compared.
  func describe(_ units: [LayerUnit], _ tap: FeatureTap) {
    header("layers", .string(units.map(\.label).joined(separator: ", ")))
    header("tap", .string(tap.rawValue))
  }
}
