/// Horizontal bars in panels of their own scale, in an SVG; each panel's limit is a dashed line.
struct BarPlot {
  struct Panel {
    var title: String
    var bars: [(name: String, value: Double, label: String)]
    var limit: Double?
  }

  var title: String
  var unit: String
  var panels: [Panel]

  private static let (left, length, right, row) = (110.0, 420.0, 170.0, 22.0)

  var text: String {
    var parts: [String] = [SVG.text(title, 10, 22, size: 14)]
    var top = 36.0
    for panel in panels {
      parts += draw(panel, top)
      top += Double(panel.bars.count) * Self.row + 34
    }
    let key = unit + (panels.contains { $0.limit != nil } ? "; dashed: multiply-add limit" : "")
    parts.append(SVG.text(key, Self.left, top + 4))
    return SVG.document(width: Self.left + Self.length + Self.right, height: top + 16, parts)
  }

  private func draw(_ panel: Panel, _ top: Double) -> [String] {
    let most = max(panel.bars.map(\.value).max() ?? 0, panel.limit ?? 0, 1e-12)
    var parts = [SVG.text(panel.title, 10, top + 12, size: 13)]
    for (index, bar) in panel.bars.enumerated() {
      let y = top + 18 + Double(index) * Self.row
      let width = Self.length * bar.value / most
      parts.append(SVG.text(bar.name, 24, y + 15))
      parts.append(
        "<rect x=\"\(SVG.number(Self.left))\" y=\"\(SVG.number(y + 3))\" "
          + "width=\"\(SVG.number(width))\" height=\"\(SVG.number(Self.row - 6))\" "
          + "fill=\"\(index == 0 ? "#1b6ca8" : "#b0b0b0")\"/>")
      parts.append(
        SVG.text("\(bar.value.fixed(1)) (\(bar.label))", Self.left + width + 6, y + 15))
    }
    if let limit = panel.limit {
      let x = SVG.number(Self.left + Self.length * limit / most)
      let bottom = SVG.number(top + 18 + Double(panel.bars.count) * Self.row)
      parts.append(
        "<line x1=\"\(x)\" x2=\"\(x)\" y1=\"\(SVG.number(top + 18))\" y2=\"\(bottom)\" "
          + "stroke=\"#c00\" stroke-dasharray=\"5 4\"/>")
    }
    return parts
  }
}
