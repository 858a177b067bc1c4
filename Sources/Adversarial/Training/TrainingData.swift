import Datasets

/// The images of a run.
public struct TrainingData: Sendable {
  public var train: Dataset
  /// Held out of the training split; nil where the recipe holds nothing out.
  public var validation: Dataset?
  public var test: Dataset
  /// The training images with generated ones behind them; nil where there are none of these.
  public var mixed: Dataset?

  public init(train: Dataset, validation: Dataset? = nil, test: Dataset, mixed: Dataset? = nil) {
    self.train = train
    self.validation = validation
    self.test = test
    self.mixed = mixed
  }

  /// Loads what a recipe names: of the training split the first `limit` images, of these the last
  /// `validation` for validation.
  ///
  /// - Throws: DatasetError, and RecipeError where the two numbers leave nothing to train on.
  public static func load(_ options: Recipe.DataOptions) throws -> TrainingData {
    var train = try Dataset.load(options.source, split: .train, options: options.load)
    if let limit = options.limit { train = try train.subset(limit) }
    let test = try Dataset.load(options.source, split: .test, options: options.load)
    var data = try holdOut(options, train: train, test: test)
    if let extra = options.extra {
      data.mixed = try data.train.appending(Dataset.load(extra, split: .train))
    }
    return data
  }

  private static func holdOut(
    _ options: Recipe.DataOptions, train: Dataset, test: Dataset
  ) throws -> TrainingData {
    guard options.validation > 0 else { return TrainingData(train: train, test: test) }
    let rest = train.count - options.validation
    guard rest > 0 else {
      throw RecipeError(
        "data.validation: \(options.validation) of \(train.count) images leave none to train on")
    }
    return TrainingData(
      train: try train.subset(rest),
      validation: try train.subset(indices: Array(rest..<train.count)), test: test)
  }
}

extension Recipe.DataOptions {
  /// What is drawn for every training image.
  func augmentation(for dataset: Dataset) -> Datasets.Augmentation {
    var result: Datasets.Augmentation =
      switch augmentation {
      case .standard: dataset.augmentation
      case .none: .none
      case .cifar: .cifar
      case .digits: .digits
      case .mnist: .mnist
      case .imagenet: .imagenet
      }
    if let leastArea { result.leastArea = leastArea }
    return result
  }
}
