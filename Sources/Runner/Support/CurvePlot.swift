/// Curves in an SVG: accuracy in percent over epochs.
struct CurvePlot {
  struct Curve {
    var name: String
    var colour: String
    var isDashed: Bool
    /// Epoch (from 1) and share.
    var points: [(x: Double, y: Double)]
  }

  var title: String
  var curves: [Curve]

  private static let (width, height) = (760.0, 420.0)
  private static let (left, right, top, bottom) = (56.0, 230.0, 36.0, 44.0)

  private var lastEpoch: Double { max(2, curves.flatMap(\.points).map(\.x).max() ?? 2) }

  private func x(_ epoch: Double) -> Double {
    Self.left + (Self.width - Self.left - Self.right) * (epoch - 1) / (lastEpoch - 1)
  }

  private func y(_ share: Double) -> Double {
    Self.top + (Self.height - Self.top - Self.bottom) * (1 - share)
  }

  var text: String {
    var lines = [SVG.text(title, Self.left, 20, size: 14)]
    lines += stride(from: 0.0, through: 1, by: 0.2).flatMap { share in
      [
        "<line x1=\"\(n(Self.left))\" x2=\"\(n(Self.width - Self.right))\" y1=\"\(n(y(share)))\" "
          + "y2=\"\(n(y(share)))\" stroke=\"#ddd\"/>",
        SVG.text("\((100 * share).fixed(0)) %", 10, y(share) + 4),
      ]
    }
    let step = max(1, (lastEpoch / 6).rounded())
    lines += stride(from: step, through: lastEpoch, by: step).map {
      SVG.text($0.fixed(0), x($0) - 6, Self.height - 24)
    }
    lines.append(SVG.text("epoch", x((1 + lastEpoch) / 2) - 16, Self.height - 8))
    for (index, curve) in curves.enumerated() { lines += draw(curve, index) }
    return SVG.document(width: Self.width, height: Self.height, lines)
  }

  private func draw(_ curve: Curve, _ index: Int) -> [String] {
    let points = curve.points.map { "\(n(x($0.x))),\(n(y($0.y)))" }.joined(separator: " ")
    let dash = curve.isDashed ? " stroke-dasharray=\"5 4\"" : ""
    let style = "fill=\"none\" stroke=\"\(curve.colour)\" stroke-width=\"2\"\(dash)"
    let place = Self.top + 14 + Double(index) * 20
    let legend = Self.width - Self.right + 14
    return [
      "<polyline points=\"\(points)\" \(style)/>",
      "<line x1=\"\(n(legend))\" x2=\"\(n(legend + 26))\" y1=\"\(n(place - 4))\" "
        + "y2=\"\(n(place - 4))\" \(style)/>",
      SVG.text(curve.name, legend + 32, place),
    ]
  }

  private func n(_ value: Double) -> String { SVG.number(value) }
}
