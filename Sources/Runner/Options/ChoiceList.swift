import ArgumentParser

/// Choices separated by commas, as `--engine compiled,eager` gives them.
struct ChoiceList<Choice: RawRepresentable & CaseIterable & Sendable>: ExpressibleByArgument
where Choice.RawValue == String {
  var values: [Choice]

  init(values: [Choice]) { self.values = values }

  init?(argument: String) {
    let parts = argument.split(separator: ",", omittingEmptySubsequences: false)
    values = parts.compactMap { Choice(rawValue: String($0)) }
    guard values.count == parts.count else { return nil }
  }

  var defaultValueDescription: String { values.map(\.rawValue).joined(separator: ",") }
}
