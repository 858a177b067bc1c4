import IR
import Models

/// Which value counts as the feature F_i of a layer.
public enum FeatureTap: String, Sendable, CaseIterable {
  /// After the batch norm, residual add and activation that follow the convolution.
  case activation
  /// The convolution's own output.
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
  /// The features of some layers.
  ///
  /// - Throws: IRError for an index that the model has not.
  func features(_ layers: [Int], _ tap: FeatureTap) throws -> [ValueID] {
    try layers.map { layer in
      guard features.indices.contains(layer) else {
        throw IRError("layer \(layer): the model has layers 0...\(features.count - 1)")
      }
      return tap.value(features[layer])
    }
  }
}
