# SPDX-License-Identifier: Apache-2.0
"""A small writer of SVG: what the pictures of docs/reliability.md need, and nothing more."""

from xml.sax.saxutils import escape

FONT = 'font-family="Helvetica, Arial, sans-serif" font-size="10"'


def short(value):
    """A coordinate: whole pixels and one place are enough."""
    return f"{value:.1f}".removesuffix(".0")


def bends(points):
    """Without those on the way from one point to another of the same height."""
    kept = []
    for i, point in enumerate(points):
        around = points[max(i - 1, 0) : i + 2]
        if point is None or len(around) < 3 or any(other is None or other[1] != point[1] for other in around):
            kept.append(point)
    return kept


class Drawing:
    """Elements in the order they are drawn, on white."""

    def __init__(self, width, height):
        self.width, self.height, self.parts = width, height, []

    def rectangle(self, x, y, width, height, fill):
        at = f'x="{short(x)}" y="{short(y)}" width="{short(width)}" height="{short(height)}"'
        self.parts.append(f'<rect {at} fill="{fill}"/>')

    def text(self, x, y, words, anchor="start", fill="#444", weight="normal"):
        style = f'text-anchor="{anchor}" fill="{fill}" font-weight="{weight}"'
        self.parts.append(f'<text x="{short(x)}" y="{short(y)}" {style}>{escape(words)}</text>')

    def rule(self, x1, y1, x2, y2, stroke="#ddd"):
        self.parts.append(f'<path d="M{short(x1)} {short(y1)}L{short(x2)} {short(y2)}" stroke="{stroke}"/>')

    def line(self, points, stroke, width=1.2):
        """points: (x, y), or None where there is a gap."""
        path, pen_is_down = [], False
        for point in bends(points):
            if point is not None:
                path.append(f"{'L' if pen_is_down else 'M'}{short(point[0])} {short(point[1])}")
            pen_is_down = point is not None
        if path:
            self.parts.append(f'<path d="{"".join(path)}" fill="none" stroke="{stroke}" stroke-width="{width}"/>')

    def area(self, points, base, fill):
        """From the points down to the height `base`."""
        if not points:
            return
        path = "".join(f"L{short(x)} {short(y)}" for x, y in bends(points))
        path = f"M{short(points[0][0])} {short(base)}{path}L{short(points[-1][0])} {short(base)}Z"
        self.parts.append(f'<path d="{path}" fill="{fill}"/>')

    def __str__(self):
        size = f'width="{self.width}" height="{self.height}" viewBox="0 0 {self.width} {self.height}"'
        body = "\n".join(self.parts)
        white = f'<rect width="{self.width}" height="{self.height}" fill="#fff"/>'
        return f'<svg xmlns="http://www.w3.org/2000/svg" {size} {FONT}>\n{white}\n{body}\n</svg>\n'


class Panel:
    """A part of a drawing with scales of its own: seconds from left to right, values upwards."""

    def __init__(self, drawing, x, y, width, height, seconds, top, bottom=0.0, scale=lambda value: value):
        self.drawing, self.x, self.y, self.width, self.height = drawing, x, y, width, height
        self.seconds, self.scale = seconds, scale
        self.low, self.high = scale(bottom), scale(top)

    def across(self, seconds):
        return self.x + self.width * min(max(seconds / self.seconds, 0.0), 1.0)

    def up(self, value):
        part = (self.scale(value) - self.low) / (self.high - self.low)
        return self.y + self.height * (1 - min(max(part, 0.0), 1.0))

    def shade(self, start, end, fill="#f1efe9"):
        self.drawing.rectangle(self.across(start), self.y, self.across(end) - self.across(start), self.height, fill)

    def grid(self, values, label):
        """label: makes the text of a value; None: no texts."""
        for value in values:
            height = self.up(value)
            self.drawing.rule(self.x, height, self.x + self.width, height)
            if label:
                self.drawing.text(self.x - 4, height + 3, label(value), "end", "#777")

    def points(self, step, values):
        heights = [None if value is None else round(self.up(value) * 2) / 2 for value in values]
        return [None if y is None else (self.across((i + 0.5) * step), y) for i, y in enumerate(heights)]

    def line(self, step, values, stroke, width=1.2):
        self.drawing.line(self.points(step, values), stroke, width)

    def area(self, step, values, fill):
        self.drawing.area(self.points(step, values), self.y + self.height, fill)
