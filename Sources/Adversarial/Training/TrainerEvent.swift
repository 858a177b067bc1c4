import Foundation

/// What a trainer tells while it runs.
public enum TrainerEvent: Sendable {
  case epochStarted(EpochStart)
  case stepDone(StepReport)
  case selected(SelectionRecord)
  /// All steps are done. Comes again where a run was stopped in the evaluation that follows.
  case epochFinished(EpochReport)
  case evaluated(EvaluationRecord)
  /// The file written.
  case checkpointWritten(String)
}

public struct EpochStart: Sendable, Equatable {
  /// From 0.
  public var epoch: Int
  public var epochs: Int
  public var phase: Recipe.Phase
  public var steps: Int
  /// Steps already done, where a run was resumed within the epoch.
  public var firstStep: Int
  public var learningRate: Double
}

/// Averages over the epoch so far.
public struct StepReport: Sendable, Equatable {
  public var epoch: Int
  /// Steps done.
  public var step: Int
  public var steps: Int
  public var metrics: EpochMetrics
  public var learningRate: Double
  /// Since this process entered the epoch; attacks, loading and updates together.
  public var imagesPerSecond: Double
  /// Since this process entered the epoch; of these, the second is time waiting for images.
  public var seconds: Double
  public var waitSeconds: Double
}

public struct EpochReport: Sendable, Equatable {
  public var epoch: Int
  public var phase: Recipe.Phase
  public var metrics: EpochMetrics
  public var learningRate: Double
  public var imagesPerSecond: Double
  public var seconds: Double
  /// Of these, waiting for images.
  public var waitSeconds: Double
}

public struct EvaluationRecord: Sendable, Equatable {
  public var epoch: Int
  public var split: Recipe.EvaluationOptions.Split
  public var count: Int
  public var cleanCorrect: Int
  public var robustCorrect: Int
  public var cleanAccuracy: Double { Double(cleanCorrect) / Double(max(1, count)) }
  public var robustAccuracy: Double { Double(robustCorrect) / Double(max(1, count)) }
}

/// One selection of critical layers.
public struct SelectionRecord: Sendable, Equatable, Codable {
  public struct Layer: Sendable, Equatable, Codable {
    public var index: Int
    public var name: String
    public var weakness: Double
    /// nil for an excluded first layer.
    public var criticality: Double?
  }

  /// The epoch before which it was made.
  public var epoch: Int
  /// Indices of the selected layers, in forward order, and their names.
  public var selected: [Int]
  public var names: [String]
  /// The weight of L_C until the next selection.
  public var lambda: Double
  /// All layers in forward order; empty where the rule asks for no criticality.
  public var layers: [Layer]
}

/// Sums of an epoch's measurements, from which averages are taken; part of a checkpoint.
public struct EpochMetrics: Sendable, Equatable, Codable {
  public var images = 0
  var loss = 0.0
  var crossEntropy = 0.0
  var feature = 0.0
  var correct = 0
  /// The weight of L_C.
  public var lambda = 0.0

  private func mean(_ sum: Double) -> Double { sum / Double(max(1, images)) }

  /// The objective.
  public var meanLoss: Double { mean(loss) }
  /// The cross entropy within it.
  public var meanCrossEntropy: Double { mean(crossEntropy) }
  /// L_C, without lambda; 0 outside CLAT.
  public var meanFeature: Double { mean(feature) }
  /// lambda * L_C / CE.
  public var featureRatio: Double {
    crossEntropy == 0 ? 0 : lambda * feature / crossEntropy
  }
  /// Accuracy on the images that the cross entropy saw, before each step: clean ones in standard
  /// training and, by default, in CLAT, adversarial ones in PGD-AT, in CLAT those of `clat.ce`.
  public var accuracy: Double { mean(Double(correct)) }
}
