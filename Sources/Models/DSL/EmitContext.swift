import IR

/// Where modules emit themselves: the graph, the path of names, and the record of what was met.
public final class EmitContext {
  /// A batch-norm statistic: the graph's input, and its newest value.
  struct Statistic {
    var name: String
    var input: ValueID
    var current: ValueID
  }

  public let builder: GraphBuilder
  public let mode: BatchNormMode
  /// Whether dropouts are part of the graph: in training, and where a network is written.
  let drawsDropouts: Bool
  var trace = Trace()
  private(set) var statistics: [Statistic] = []
  private var statisticIndex: [String: Int] = [:]
  private var path: [String] = []
  /// What convolutions are here; `convolution` on the main path.
  private var branch = LayerInfo.Kind.convolution

  init(builder: GraphBuilder, mode: BatchNormMode, keepsDropouts: Bool = false) {
    self.builder = builder
    self.mode = mode
    drawsDropouts = keepsDropouts || mode == .train
  }

  /// Emits modules one after the other.
  ///
  /// - Throws: ModelError with the path of the module that does not fit.
  public func emit(_ modules: [any Module], _ x: ValueID) throws -> ValueID {
    var x = x
    for (position, module) in modules.enumerated() { x = try emit(module, at: position, x) }
    return x
  }

  private func emit(_ module: any Module, at position: Int, _ x: ValueID) throws -> ValueID {
    let name = module.name ?? (module.isContainer ? nil : "\(position)")
    if let name { path.append(name) }
    defer { if name != nil { path.removeLast() } }
    let y = try located { try module.emit(x, self) }
    if module.extendsFeature {
      trace.advance(x, to: y)
    } else if !module.isContainer {
      trace.settle(x)
    }
    return y
  }

  private func located<T>(_ body: () throws -> T) throws -> T {
    do { return try body() } catch let error as IRError {
      throw ModelError(path.isEmpty ? error.message : "\(qualified(nil)): \(error.message)")
    }
  }

  /// Runs `body`, where the main path has been left for a shortcut or a gate; what branches off
  /// within either belongs to it.
  func inBranch<T>(_ kind: LayerInfo.Kind, _ body: () throws -> T) rethrows -> T {
    let outer = branch
    if outer == .convolution { branch = kind }
    defer { branch = outer }
    return try body()
  }

  /// A trainable tensor of the current module, as an input of the graph.
  public func parameter(
    _ suffix: String, _ shape: [Int], _ kind: ParameterInfo.Kind
  ) throws -> ValueID {
    let name = qualified(suffix)
    trace.parameters.append(ParameterInfo(name: name, shape: shape, kind: kind))
    return try builder.input(name, TensorType(.f32, shape), .parameter)
  }

  /// The newest value of a running statistic of the current module; at first an input of the graph.
  public func statistic(
    _ suffix: String, _ shape: [Int], _ kind: ParameterInfo.Kind
  ) throws -> ValueID {
    let name = qualified(suffix)
    trace.parameters.append(ParameterInfo(name: name, shape: shape, kind: kind))
    if let index = statisticIndex[name] { return statistics[index].current }
    let input = try builder.input(name, TensorType(.f32, shape), .buffer)
    statisticIndex[name] = statistics.count
    statistics.append(Statistic(name: name, input: input, current: input))
    return input
  }

  func updateStatistic(_ suffix: String, _ value: ValueID) {
    guard let index = statisticIndex[qualified(suffix)] else { return }
    statistics[index].current = value
  }

  func declareConvolution(output: ValueID, bias: Bool) {
    declare(branch, output, bias: bias)
  }

  func declareLinear(output: ValueID, bias: Bool) {
    declare(.linear, output, bias: bias)
  }

  private func declare(_ kind: LayerInfo.Kind, _ output: ValueID, bias: Bool) {
    trace.declare(
      name: qualified(nil), kind: kind, weight: qualified("weight"),
      bias: bias ? qualified("bias") : nil, output: output)
  }

  /// The number of a dropout within its network, in forward order.
  func nextDropout() -> Int {
    defer { trace.dropouts += 1 }
    return trace.dropouts
  }

  func declareNorm(of x: ValueID) {
    trace.declareNorm(NormInfo(module: qualified(nil)), of: x)
  }

  /// - Parameter isNamed: whether the current module has a name of its own.
  func openBlock(isNamed: Bool) { trace.openBlock(name: isNamed ? qualified(nil) : nil) }

  private func qualified(_ suffix: String?) -> String {
    (path + (suffix.map { [$0] } ?? [])).joined(separator: ".")
  }
}
