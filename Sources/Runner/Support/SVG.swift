/// What the plots share.
enum SVG {
  static func document(width: Double, height: Double, _ parts: [String]) -> String {
    let head = [
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 \(Int(width)) \(Int(height))\" "
        + "font-family=\"sans-serif\" font-size=\"12\">",
      "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>",
    ]
    return (head + parts + ["</svg>"]).joined(separator: "\n") + "\n"
  }

  static func text(_ text: String, _ x: Double, _ y: Double, size: Int = 12) -> String {
    let safe = text.replacing("&", with: "&amp;").replacing("<", with: "&lt;")
    return "<text x=\"\(number(x))\" y=\"\(number(y))\" font-size=\"\(size)\">\(safe)</text>"
  }

  static func number(_ value: Double) -> String { value.fixed(1) }
}
