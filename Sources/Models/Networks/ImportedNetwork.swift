/// A network that a file brought, with its tensors where the file has them.
public struct ImportedNetwork: Sendable, Equatable {
  public var network: NetworkGraph
  /// Every parameter and statistic by name, in PyTorch's layouts.
  public var values: [String: [Float]]?

  public init(_ network: NetworkGraph, values: [String: [Float]]? = nil) {
    self.network = network
    self.values = values
  }

  /// Whether the name of a model is that of a file: it ends in `.ir` or `.onnx`.
  public static func isFile(_ model: String) -> Bool {
    model.hasSuffix(".ir") || model.hasSuffix(".onnx")
  }

  /// The network as a model.
  ///
  /// - Parameters:
  ///   - name: the file's.
  ///   - image, classes: what the data has; nil for whatever the network takes.
  /// - Throws: ModelError where these or the normalisation do not fit the network.
  public func model(
    named name: String, image: (height: Int, width: Int, channels: Int)? = nil,
    classes: Int? = nil, mean: [Double]? = nil, std: [Double]? = nil
  ) throws -> Model {
    let own = network.imageShape
    if let image, image != own {
      throw ModelError(
        "\(name) takes images of \(own.height)x\(own.width)x\(own.channels), "
          + "not of \(image.height)x\(image.width)x\(image.channels)")
    }
    if let classes, classes != network.classes {
      throw ModelError("\(name) tells \(network.classes) classes apart, not \(classes)")
    }
    return try Model(network, named: name, mean: mean, std: std)
  }
}
