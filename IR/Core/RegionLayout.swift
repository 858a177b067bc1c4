/// Which elements of the domain share an element of a value.
public enum RegionRole: String, Sendable {
  /// One element for each of the domain's.
  case full
  /// One bit for each of the domain's elements.
  case bits
  /// One element a channel, the same for all images.
  case channel
  /// One element an image.
  case image
  /// One element for each channel of each image.
  case imageChannel
}

/// How the values of a region lie on its domain, the largest type that its nodes work on: first
/// axis images, last axis channels.
public struct RegionLayout: Sendable {
  public let domain: TensorType
  /// The roles of all values.
  public let roles: [RegionRole]
  /// The roles of the elements that each node computes or reduces.
  public let spaces: [RegionRole]

  /// - Throws: IRError naming the node that does not fit the domain, or a parameter that is unused
  ///   or read in two roles.
  public init(_ region: Region) throws {
    let definitions = try region.nodes.map { try OpRegistry.definition($0.op) }
    let worked = zip(region.nodes, definitions).map { node, definition in
      region.type(definition.fusion == .imageReduction ? node.operands[0] : node.results[0])
    }
    guard let domain = worked.max(by: { ($0.count, $0.rank) < ($1.count, $1.rank) }) else {
      throw IRError("a region needs a node")
    }
    var roles = [RegionRole?](repeating: nil, count: region.values.count)
    var spaces: [RegionRole] = []
    for ((node, definition), type) in zip(zip(region.nodes, definitions), worked) {
      let space = try RegionLayout.role(type, in: domain, of: node.op)
      spaces.append(space)
      for operand in node.operands {
        let role = try definition.role(
          of: region.type(operand), working: type, space: space, domain: domain)
        guard roles[operand.index] ?? role == role else {
          throw IRError("\(operand) is read as \(role) and as \(roles[operand.index]!)")
        }
        roles[operand.index] = role
      }
      for result in node.results {
        roles[result.index] = try RegionLayout.role(region.type(result), in: domain, of: node.op)
      }
    }
    self.domain = domain
    self.spaces = spaces
    self.roles = try roles.enumerated().map { index, role in
      guard let role else { throw IRError("parameter %\(index) of the region is unused") }
      return role
    }
  }

  fileprivate static func role(
    _ type: TensorType, in domain: TensorType, of op: String
  ) throws -> RegionRole {
    if type == domain { return .full }
    // A vector's bits are not divided by its elements.
    if type == TensorType(.bits, domain.shape), domain.rank > 1 { return .bits }
    if type.dtype == .f32, domain.rank > 1 {
      if type.shape == [domain.shape[0], domain.channels] { return .imageChannel }
      if type.shape == [domain.shape[0]] { return .image }
    }
    throw IRError("\(op) on \(type) does not fit a region on \(domain)")
  }
}

extension OpDef {
  /// How the operation reads an operand of `type` where it works on elements of type `working`.
  fileprivate func role(
    of type: TensorType, working: TensorType, space: RegionRole, domain: TensorType
  ) throws -> RegionRole {
    if type == working { return space }
    switch fusion {
    case .elementwise where type == .f32(working.channels): return .channel
    case .elementwise, .imagewise, .imageReduction:
      return try RegionLayout.role(type, in: domain, of: name)
    default: throw IRError("\(name) cannot be part of a region")
    }
  }
}
