import IR

/// A layer or a composition of layers: a static description that emits itself into a graph.
///
/// Parameters carry PyTorch's names: the path of module names, then `weight`, `bias` and so on.
public protocol Module: Sendable {
  /// The module's part of the path. A layer without a name is named by its position, as in
  /// `torch.nn.Sequential`; a container without a name adds nothing to the path.
  var name: String? { get }
  var isContainer: Bool { get }
  /// Whether the result still counts as the feature of the convolution that made the operand:
  /// true for batch norms and activations.
  var extendsFeature: Bool { get }
  /// Adds the module's nodes.
  ///
  /// - Parameter x: f32 [N, H, W, C], or [N, C] after pooling.
  /// - Throws: IRError or ModelError where the operand does not fit the module.
  func emit(_ x: ValueID, _ context: EmitContext) throws -> ValueID
}

extension Module {
  public var name: String? { nil }
  public var isContainer: Bool { false }
  public var extendsFeature: Bool { false }
}

/// Collects the modules written one below the other, with `if` and `for`.
@resultBuilder
public enum ModuleBuilder {
  public static func buildExpression(_ module: any Module) -> [any Module] { [module] }
  public static func buildExpression(_ modules: [any Module]) -> [any Module] { modules }
  public static func buildBlock(_ parts: [any Module]...) -> [any Module] { parts.flatMap { $0 } }
  public static func buildArray(_ parts: [[any Module]]) -> [any Module] { parts.flatMap { $0 } }
  public static func buildOptional(_ part: [any Module]?) -> [any Module] { part ?? [] }
  public static func buildEither(first part: [any Module]) -> [any Module] { part }
  public static func buildEither(second part: [any Module]) -> [any Module] { part }
}
