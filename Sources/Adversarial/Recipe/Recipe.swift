import Datasets
import IR
import Models

/// A training run, complete: with the same engine and data it gives the same bits.
///
/// Defaults are the CLAT paper's where it states them: eps 0.03, step 0.007, 10 steps, one cosine
/// from 0.1 over all epochs, 50 epochs of PGD-AT and 50 of CLAT.
public struct Recipe: Sendable, Equatable {
  public var seed: UInt64 = 0
  /// 0 for all that the process may use. Results do not depend on it.
  public var threads = 0
  /// How convolutions are computed; results differ by rounding.
  public var convolution = ConvolutionPolicy.auto
  /// What happens to the images that do not fill an epoch's last batch.
  public var lastBatch = BatchPlan.LastBatch.keep
  public var model = ModelOptions()
  public var data = DataOptions()
  public var base = BaseOptions()
  public var clat = ClatOptions()
  /// The attack of training: the base method's, and the budget of CLAT's inner maximisation. Its
  /// `batchNorm` holds in CLAT too where `clat.batchNorm` is `train`.
  public var attack = Attack.paper
  public var optimizer = OptimizerOptions()
  public var evaluation = EvaluationOptions()
  public var checkpoint = CheckpointOptions()

  public init() {}

  public struct ModelOptions: Sendable, Equatable {
    /// A specification such as `resnet18:width=16`, or a file's name.
    public var name = "resnet18"
    /// The network where `name` is a file's. A recipe's text does not hold it.
    public var imported: ImportedNetwork?
    /// Normalisation within the network, by channel; none where nil.
    public var mean: [Double]?
    public var std: [Double]?
    /// The weights to start from, as `WeightSource` reads it; those of the imported network, or
    /// drawn by `seed`, where nil.
    public var weights: String?
  }

  public struct DataOptions: Sendable, Equatable {
    public enum Augmentation: String, Sendable, CaseIterable {
      case standard, none, cifar, digits, mnist, imagenet
    }

    /// `digits` or a path, as `Dataset.load` takes it.
    public var source = "digits"
    public var augmentation = Augmentation.standard
    /// The least share of a picture's area that a random-resized-crop cuts out; nil for the
    /// augmentation's own.
    public var leastArea: Double?
    public var load = LoadOptions()
    /// Generated images that are mixed into every batch, a path as `source` takes it.
    public var extra: String?
    /// Their share of a batch.
    public var extraFraction = 0.7
    /// Use only the first images of the training split.
    public var limit: Int?
    /// The last images of the training split, held out for choosing between checkpoints.
    public var validation = 0
  }

  public struct BaseOptions: Sendable, Equatable {
    /// What trains the network before CLAT does.
    public enum Method: String, Sendable, CaseIterable {
      case standard
      case pgdAT = "pgd-at"
      case none
    }

    public var method = Method.pgdAT
    /// Not used with the method `none`.
    public var epochs = 50
  }

  public struct ClatOptions: Sendable, Equatable {
    public var epochs = 50
    /// What layers are selected from.
    public var candidates = LayerSet()
    public var selection = LayerSelection()
    /// Whether layers are selected again every `period` epochs.
    public var dynamic = true
    public var period = 10
    public var tap = FeatureTap.activation
    public var normalization = Criticality.Normalization.size
    public var firstLayer = Criticality.FirstLayer.paper
    /// Training images on which criticality and the automatic lambda are measured.
    public var criticalityBatch = 128
    public var detach = false
    public var crossEntropy = ClatGraph.CrossEntropyInput.clean
    public var lambda = Lambda.auto
    public var trainsBatchNormAffine = false
    /// The mode of all batch norms in the weight update; `train` lets their running statistics
    /// change.
    public var batchNorm = BatchNormMode.eval
    /// Whether layers that were not selected before start without momentum.
    public var resetsMomentum = true
    /// One FGSM-RS step instead of the whole attack.
    public var fast = false
  }

  /// The weight of L_C in Eq. 6.
  public enum Lambda: Sendable, Equatable, RecipeValue {
    /// CE / L_C, measured at the start of every selection period.
    case auto
    case value(Double)
  }

  public struct OptimizerOptions: Sendable, Equatable {
    public enum Schedule: String, Sendable, CaseIterable { case cosine, piecewise, constant }
    public enum Granularity: String, Sendable, CaseIterable { case step, epoch }

    public var lr = 0.1
    public var schedule = Schedule.cosine
    /// Epochs at which `piecewise` multiplies the rate by `decay`.
    public var milestones: [Int] = []
    public var decay = 0.1
    /// How often the cosine moves.
    public var lrPer = Granularity.step
    public var momentum = 0.9
    public var weightDecay = 5e-4
    public var batchSize = 128

    var sgd: SGDOptions { SGDOptions(momentum: momentum, weightDecay: weightDecay) }
  }

  public struct EvaluationOptions: Sendable, Equatable {
    public enum Split: String, Sendable, CaseIterable { case test, validation }

    public var attack = Attack.paper
    public var restarts = 1
    public var split = Split.test
    /// Use only the first images.
    public var count: Int?
    /// Epochs between evaluations; 0 for one after the last epoch.
    public var every = 1
  }

  public struct CheckpointOptions: Sendable, Equatable {
    /// Epochs between checkpoints; 0 for none but the last.
    public var everyEpochs = 1
    /// Steps between checkpoints within an epoch; 0 for none.
    public var everySteps = 0
    public var keep = 2
  }

  public var baseEpochs: Int { base.method == .none ? 0 : base.epochs }
  public var totalEpochs: Int { baseEpochs + clat.epochs }

  /// How CLAT's graphs are built. Standard training's own loss is the clean cross entropy.
  var clatGraphOptions: ClatGraph.Options {
    let isClean = clat.crossEntropy == .base && base.method == .standard
    return ClatGraph.Options(
      crossEntropy: isClean ? .clean : clat.crossEntropy, tap: clat.tap, detachClean: clat.detach,
      trainsBatchNormAffine: clat.trainsBatchNormAffine, batchNorm: clat.batchNorm)
  }
}

extension Recipe.Lambda {
  public static var expected: String { "a number of at least 0, or auto" }

  public init?(_ node: RecipeNode) {
    if node.text == "auto" {
      self = .auto
    } else if let value = Double(node), value >= 0 {
      self = .value(value)
    } else {
      return nil
    }
  }

  public var recipeText: String {
    switch self {
    case .auto: "auto"
    case .value(let value): value.recipeText
    }
  }
}
