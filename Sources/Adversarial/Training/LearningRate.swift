import Foundation

extension Recipe {
  /// The learning rate of a step; one schedule runs through all epochs of base method and CLAT.
  ///
  /// The cosine falls from `lr` to 0 (Loshchilov and Hutter 2017, without restarts).
  ///
  /// - Parameters:
  ///   - epoch, step: from 0.
  ///   - steps: in the epoch.
  public func learningRate(epoch: Int, step: Int, of steps: Int) -> Double {
    switch optimizer.schedule {
    case .constant: return optimizer.lr
    case .piecewise:
      let passed = optimizer.milestones.count { $0 <= epoch }
      return optimizer.lr * pow(optimizer.decay, Double(passed))
    case .cosine:
      let part = optimizer.lrPer == .step ? Double(step) / Double(max(1, steps)) : 0
      let progress = (Double(epoch) + part) / Double(totalEpochs)
      return optimizer.lr * 0.5 * (1 + cos(.pi * progress))
    }
  }

  /// What an epoch does.
  public enum Phase: String, Sendable {
    case standard
    case pgdAT = "pgd-at"
    case clat
  }

  public func phase(epoch: Int) -> Phase {
    if epoch >= baseEpochs { return .clat }
    return base.method == .standard ? .standard : .pgdAT
  }

  /// Whether critical layers are selected before an epoch.
  public func selects(beforeEpoch epoch: Int) -> Bool {
    let epochOfClat = epoch - baseEpochs
    guard epochOfClat >= 0, epoch < totalEpochs else { return false }
    return epochOfClat == 0 || (clat.dynamic && epochOfClat % clat.period == 0)
  }
}
