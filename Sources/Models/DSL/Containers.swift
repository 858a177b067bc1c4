import IR

/// Modules one after the other.
public struct Sequential: Module {
  public let name: String?
  public let modules: [any Module]
  public var isContainer: Bool { true }

  public init(_ name: String? = nil, @ModuleBuilder _ modules: () throws -> [any Module]) rethrows {
    self.name = name
    self.modules = try modules()
  }

  public func emit(_ x: ValueID, _ context: EmitContext) throws -> ValueID {
    try context.emit(modules, x)
  }
}

/// A sequence that is a block of the network: the feature `block` of its layers is its output.
public struct Block: Module {
  public let name: String?
  public let modules: [any Module]
  public var isContainer: Bool { true }

  public init(_ name: String? = nil, @ModuleBuilder _ modules: () throws -> [any Module]) rethrows {
    self.name = name
    self.modules = try modules()
  }

  public func emit(_ x: ValueID, _ context: EmitContext) throws -> ValueID {
    context.openBlock(isNamed: name != nil)
    let y = try context.emit(modules, x)
    context.trace.closeBlock(output: y)
    return y
  }
}

/// `body(x) + shortcut(x)` (He et al. 2015); an empty shortcut is the identity.
///
/// Convolutions of the shortcut are not on the main path; their features end before the sum.
public struct Residual: Module {
  public let body: [any Module]
  public let shortcut: [any Module]
  public var isContainer: Bool { true }

  public init(
    @ModuleBuilder _ body: () -> [any Module],
    @ModuleBuilder shortcut: () -> [any Module] = { [] }
  ) {
    self.body = body()
    self.shortcut = shortcut()
  }

  public func emit(_ x: ValueID, _ context: EmitContext) throws -> ValueID {
    let main = try context.emit(body, x)
    let other = try context.inBranch(.shortcut) { try context.emit(shortcut, x) }
    let sum = try context.builder.emitOne("add", [main, other])
    context.trace.advance(main, to: sum)
    context.trace.settle(other)
    return sum
  }
}

/// `concat(body(x), x)` along channels (Huang et al. 2017, DenseNet).
///
/// The feature of the body's last convolution is what it adds, not the concatenation.
public struct DenseConnection: Module {
  public let body: [any Module]
  public var isContainer: Bool { true }

  public init(@ModuleBuilder _ body: () -> [any Module]) { self.body = body() }

  public func emit(_ x: ValueID, _ context: EmitContext) throws -> ValueID {
    let new = try context.emit(body, x)
    context.trace.settle(new)
    return try context.builder.emitOne("concat", [new, x])
  }
}
