"""Plots as SVG text: bars in panels, and lines."""

from html import escape

HEAD = ('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {:.0f} {:.0f}" '
        'font-family="sans-serif" font-size="12">\n<rect width="100%" height="100%" fill="white"/>')
COLOURS = ("#1b6ca8", "#c8553d", "#3a7d44", "#8e5ea2", "#b8860b", "#555555")


def text(x, y, value, anchor="start", size=12):
    return (f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}">'
            f'{escape(value)}</text>')


def line(x1, y1, x2, y2, style):
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" {style}/>'


def document(width, height, parts):
    return "\n".join([HEAD.format(width, height), *parts, "</svg>"]) + "\n"


def bars(panels, unit, limit=None, limit_name="", highlight=""):
    """Horizontal bars; `panels` are (title, [(name, value, label)]), the limit a vertical line."""
    left, width, row, gap = 150, 460, 20, 40
    most = max([value for _, rows in panels for _, value, _ in rows] + [limit or 0, 1e-9])
    parts, y = [], 20

    def x(value):
        return left + width * value / most

    for title, rows in panels:
        parts.append(text(10, y, title, size=14))
        y += 10
        top = y
        for name, value, label in rows:
            colour = COLOURS[0] if name == highlight else "#b0b0b0"
            parts += [
                text(left - 8, y + 14, name, "end"),
                f'<rect x="{left}" y="{y + 3}" width="{x(value) - left:.1f}" height="{row - 6}" '
                f'fill="{colour}"/>',
                text(x(value) + 6, y + 14, f"{value:.0f} ({label})")]
            y += row
        if limit:
            parts.append(line(x(limit), top, x(limit), y, 'stroke="#c00" stroke-dasharray="5 4"'))
        y += gap
    key = unit + (f"; dashed: {limit_name}, {limit:.0f}" if limit else "")
    parts.append(text(left, y - 12, key))
    return document(left + width + 150, y, parts)


def curves(title, x_name, y_name, series):
    """Lines from zero; `series` is {name: [(x, y)]}."""
    width, height, left, top, right, bottom = 760, 400, 70, 60, 190, 50
    most_x = max(x for points in series.values() for x, _ in points)
    most_y = max(y for points in series.values() for _, y in points) * 1.05

    def place(x, y):
        return (left + (width - left - right) * x / most_x,
                top + (height - top - bottom) * (1 - y / most_y))

    parts = [text(10, 18, title, size=14), text(10, 38, y_name),
             text((left + width - right) / 2, height - 10, x_name)]
    for share in (0, 0.25, 0.5, 0.75, 1):
        value = share * most_y
        y = place(0, value)[1]
        parts += [line(left, y, width - right, y, 'stroke="#ddd"'),
                  text(left - 6, y + 4, f"{value:.3g}", "end")]
    for x in sorted({x for points in series.values() for x, _ in points}):
        parts.append(text(place(x, 0)[0], height - bottom + 16, f"{x:g}", "middle"))
    for index, (name, points) in enumerate(series.items()):
        colour = COLOURS[index % len(COLOURS)]
        path = " ".join("{:.1f},{:.1f}".format(*place(x, y)) for x, y in points)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += ['<circle cx="{:.1f}" cy="{:.1f}" r="3" fill="{}"/>'.format(*place(x, y), colour)
                  for x, y in points]
        y = top + 14 + 20 * index
        parts += [line(width - right + 14, y - 4, width - right + 36, y - 4,
                       f'stroke="{colour}" stroke-width="2"'),
                  text(width - right + 42, y, name)]
    return document(width, height, parts)
