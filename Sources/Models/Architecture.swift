import IR

/// A parameter of an architecture, as `resnet18:width=16` sets it.
public struct ArchitectureParameter: Sendable {
  /// The values that a parameter takes.
  public enum Values: Sendable {
    case integer(ClosedRange<Int>)
    /// As many whole numbers as the default has, with slashes between them.
    case integers(ClosedRange<Int>, count: Int)
    /// A number from 0 to 1, 1 excluded.
    case fraction
    case choice([String])
  }

  public var name: String
  public var values: Values
  public var defaultValue: String

  static func integer(
    _ name: String, _ range: ClosedRange<Int>, default value: Int
  ) -> ArchitectureParameter {
    ArchitectureParameter(name: name, values: .integer(range), defaultValue: "\(value)")
  }

  static func integers(
    _ name: String, _ range: ClosedRange<Int>, default values: [Int]
  ) -> ArchitectureParameter {
    ArchitectureParameter(
      name: name, values: .integers(range, count: values.count),
      defaultValue: values.map(String.init).joined(separator: "/"))
  }

  static func fraction(_ name: String, default value: Double) -> ArchitectureParameter {
    ArchitectureParameter(name: name, values: .fraction, defaultValue: "\(value)")
  }

  /// Channels of the first stage, or their multiple.
  static func width(_ value: Int) -> ArchitectureParameter {
    integer("width", 1...4096, default: value)
  }

  static func choice(
    _ name: String, _ values: [String], default value: String
  ) -> ArchitectureParameter {
    ArchitectureParameter(name: name, values: .choice(values), defaultValue: value)
  }

  fileprivate func check(_ text: String, model: String) throws {
    guard takes(text) else {
      throw ModelError("\(model): \(name) must be \(expectation), is '\(text)'")
    }
  }

  private func takes(_ text: String) -> Bool {
    switch values {
    case .integer(let range): Int(text).map(range.contains) ?? false
    case .integers(let range, let count):
      text.split(separator: "/", omittingEmptySubsequences: false)
        .filter { Int($0).map(range.contains) ?? false }.count == count
        && text.count { $0 == "/" } == count - 1
    case .fraction: Double(text).map { $0 >= 0 && $0 < 1 } ?? false
    case .choice(let known): known.contains(text)
    }
  }

  /// What a value must be, for errors.
  private var expectation: String {
    switch values {
    case .integer(let range): "a whole number from \(range.lowerBound) to \(range.upperBound)"
    case .integers(let range, let count):
      "\(count) whole numbers from \(range.lowerBound) to \(range.upperBound) like \(defaultValue)"
    case .fraction: "a number from 0 to below 1"
    case .choice(let known): known.joined(separator: " or ")
    }
  }
}

/// The parameters of an architecture with checked values.
struct Arguments: Sendable {
  var values: [String: String]

  subscript(name: String) -> String { values[name] ?? "" }
  func int(_ name: String) -> Int { Int(self[name]) ?? 0 }
  func ints(_ name: String) -> [Int] { self[name].split(separator: "/").compactMap { Int($0) } }
  func double(_ name: String) -> Double { Double(self[name]) ?? 0 }
}

/// The images and classes that a network was published for.
public struct PublishedInput: Sendable, Equatable {
  public var height, width, channels, classes: Int

  public static let cifar10 = PublishedInput(height: 32, width: 32, channels: 3, classes: 10)
  public static let mnist = PublishedInput(height: 28, width: 28, channels: 1, classes: 10)
  public static let imageNet = PublishedInput(height: 224, width: 224, channels: 3, classes: 1000)
}

/// A family of networks under one name of the registry.
public struct Architecture: Sendable {
  /// The name in a specification: `resnet18`.
  public var name: String
  public var parameters: [ArchitectureParameter] = []
  var initialization = Initialization.torch
  /// Critical layers that the CLAT paper trains, where that is not 5 % rounded up.
  var criticalCount: Int?
  public var input = PublishedInput.cifar10
  /// The network without normalisation, ending in [N, classes].
  var network: @Sendable (_ arguments: Arguments, _ classes: Int) throws -> Sequential

  /// All architectures, one list.
  public static let all: [Architecture] =
    [smallCNN] + resNets + preActResNets + cifarResNets + wideResNets + deepMindWideResNets + vggs
    + denseNets + imageNetResNets + mnistNetworks

  /// The architecture of a specification, and its parameters with defaults filled in.
  ///
  /// - Throws: ModelError for an unknown name, parameter or value, naming the nearest known one.
  static func resolve(_ spec: ModelSpec) throws -> (Architecture, Arguments) {
    let architecture = try named(spec.name)
    var values: [String: String] = [:]
    for parameter in architecture.parameters {
      let value = spec.parameters[parameter.name] ?? parameter.defaultValue
      try parameter.check(value, model: spec.name)
      values[parameter.name] = value
    }
    for name in spec.parameters.keys.sorted() where values[name] == nil {
      throw unknownParameter(name, of: architecture)
    }
    return (architecture, Arguments(values: values))
  }

  private static func named(_ name: String) throws -> Architecture {
    if let architecture = all.first(where: { $0.name == name }) { return architecture }
    if let wide = try wideResNet(named: name) { return wide }
    let names = all.map(\.name)
    let hint = nearest(to: name, in: names).map { "did you mean '\($0)'?" }
    throw ModelError(
      "unknown model '\(name)'; \(hint ?? "known: \(names.joined(separator: ", "))")")
  }

  private static func unknownParameter(_ name: String, of architecture: Architecture) -> ModelError
  {
    let known = architecture.parameters.map(\.name)
    let hint = nearest(to: name, in: known).map { "did you mean '\($0)'?" }
    let list = known.isEmpty ? "it takes none" : "known: \(known.joined(separator: ", "))"
    return ModelError("\(architecture.name): unknown parameter '\(name)'; \(hint ?? list)")
  }
}
