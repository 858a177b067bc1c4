/// A text of unknown origin on one line, at most `limit` Unicode scalars long: question marks stand
/// for whatever ends a line, controls a terminal or changes the direction of writing.
public func printable(_ text: String, limit: Int = 80) -> String {
  let hidden: Set<Unicode.GeneralCategory> = [
    .control, .format, .lineSeparator, .paragraphSeparator,
  ]
  let scalars = text.unicodeScalars.prefix(limit).map { scalar in
    hidden.contains(scalar.properties.generalCategory) ? "?" : scalar
  }
  let clean = String(String.UnicodeScalarView(scalars))
  return clean + (text.unicodeScalars.count > limit ? "..." : "")
}
