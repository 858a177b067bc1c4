/// A row of Table 9 of the CLAT paper ("Trainable parameters during CLAT") beside what the layers
/// that the paper names elsewhere amount to.
///
/// Layers are counted as `Model.layers` numbers them: main-path convolutions from 0, weights alone.
/// The only figure of Table 9 that depends on the choice, ResNet-50's, agrees with this numbering.
public struct PublishedSelection: Sendable {
  /// A network of the registry, and the classes with which its size is the paper's.
  public var network: String
  public var classes: Int
  /// As Table 9 prints them: all parameters, those that CLAT trains, and their share.
  public var total, trained, share: String
  /// Indices in `Model.layers`, and where the paper prints them.
  public var layers: [Int]
  public var source: String
  /// How the paper's figure relates to the count.
  public var remark: String

  /// Every network of Table 9, some with several published sets.
  public static let table9: [PublishedSelection] = [
    PublishedSelection(
      network: "densenet121", classes: 10, total: "6.96M", trained: "217K", share: "3.1%",
      layers: [39, 14, 1, 3, 88], source: "Table 8",
      remark: "no: no published set gives 217K, from 0 or from 1"),
    PublishedSelection(
      network: "wrn-70-16", classes: 10, total: "267M", trained: "8.29M", share: "3.0%",
      layers: [4, 17, 1, 59], source: "Table 8",
      remark: "no: no published set gives 8.29M, from 0 or from 1"),
    PublishedSelection(
      network: "rawrn-70-16", classes: 10, total: "267M", trained: "8.29M", share: "3.0%",
      layers: [4, 17, 1, 59], source: "Table 8",
      remark: "no: nor does the network of Peng et al."),
    PublishedSelection(
      network: "resnet50", classes: 100, total: "23.7M", trained: "823K", share: "3.4%",
      layers: [34, 41, 48], source: "Table 8", remark: "no; the next set does"),
    PublishedSelection(
      network: "resnet50", classes: 100, total: "23.7M", trained: "823K", share: "3.4%",
      layers: [36, 2, 40], source: "Table 13, epoch 90",
      remark: "exact: the numbering is ours"),
    PublishedSelection(
      network: "wrn-34-10", classes: 10, total: "46.16M", trained: "1.24M", share: "2.7%",
      layers: [26, 1], source: "Table 8",
      remark: "no: the paper's figure is a third of it"),
    PublishedSelection(
      network: "resnet18", classes: 10, total: "11.2M", trained: "590K", share: "5.2%",
      layers: [11], source: "Table 8", remark: "exact"),
    PublishedSelection(
      network: "vgg19-mlp", classes: 100, total: "39.3M", trained: "236K", share: "0.6%",
      layers: [9], source: "Table 8",
      remark: "the paper's figure is a tenth of it: a slip of the point"),
  ]

  /// The network, for CIFAR images.
  public func model() throws -> Model {
    try Model(ModelSpec(network), imageShape: (32, 32, 3), classes: classes)
  }

  /// The weights of the layers.
  public func trainedCount(of model: Model) -> Int {
    let sizes = Dictionary(model.parameters.map { ($0.name, $0.count) }) { first, _ in first }
    return layers.reduce(0) { $0 + (sizes[model.layers[$1].weight] ?? 0) }
  }
}
