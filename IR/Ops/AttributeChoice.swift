/// One of a few names in an attribute of operations.
public protocol AttributeChoice: RawRepresentable<String>, CaseIterable {
  /// Its default stands for an attribute that is not there.
  static var attribute: AttributeSpec { get }
}

extension AttributeChoice {
  /// What an operation's attributes say.
  ///
  /// - Throws: IRError for a name that is none.
  public static func of(_ attributes: Attributes) throws -> Self {
    guard case .string(let name)? = attributes[attribute.name] ?? attribute.defaultValue,
      let choice = Self(rawValue: name)
    else {
      let known = allCases.map(\.rawValue).joined(separator: ", ")
      let given = attributes.string(attribute.name)
      throw IRError("attribute '\(attribute.name)' must be one of \(known), is '\(given)'")
    }
    return choice
  }
}
