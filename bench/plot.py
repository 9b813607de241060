# SPDX-License-Identifier: GPL-2.0
"""Plots as SVG, without anything but Python's library: lines with error bars, and bars.

    lines("rate.svg", "Rate", "blocks", "Mpps", [("Linux", [(1, 4.0, 3.9, 4.1), (2, 3.8)])], logx=True)
    bars("drop.svg", "Drop", "Mpps", [("Linux", 4.0, 3.9, 4.1), ("tc", 3.5)])

A point is (x, y) or (x, y, low, high), a bar (label, y) or (label, y, low, high)."""

import math
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 760, 460
LEFT, RIGHT, TOP, BOTTOM = 70, 16, 44, 52
# Told apart also by those who see few colours (Okabe and Ito), and by their marks.
COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#999999"]
MARKS = ["circle", "square", "triangle", "diamond"]


def number(value):
    """As short as it can be said."""
    for limit, unit in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= limit:
            factor = {"G": 1e9, "M": 1e6, "k": 1e3}[unit]
            return f"{value / factor:.6g}{unit}"
    return f"{value:.4g}"


def ticks(low, high, about=6):
    """Round numbers between two."""
    raw = max(high - low, 1e-12) / about
    power = 10.0 ** math.floor(math.log10(raw))
    step = min((m * power for m in (1, 2, 2.5, 5, 10) if m * power >= raw), default=raw)
    first = math.ceil(low / step - 1e-9)
    return [step * i for i in range(first, math.floor(high / step + 1e-9) + 1)]


class Axis:
    """From values to places; `ticks` are pairs of a value and its label."""

    def __init__(self, low, high, start, end, log=False, places=None):
        self.log, self.start, self.end = log, start, end
        if log:
            self.low, self.high = math.log10(low), math.log10(high)
            if self.high - self.low < 1e-9:
                self.low, self.high = self.low - 0.5, self.high + 0.5
            powers = range(math.floor(self.low), math.ceil(self.high) + 1)
            places = places or [m * 10.0 ** p for p in powers for m in (1, 2, 5)
                                if self.high - self.low < 3 or m == 1]
        else:
            self.low, self.high = low, high if high > low else low + 1
            places = places or ticks(self.low, self.high)
        inside = [p for p in places if low * 0.999 - 1e-9 <= p <= high * 1.001 + 1e-9]
        self.ticks = [(p, number(p)) for p in inside]

    def at(self, value):
        value = math.log10(value) if self.log else value
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)


def text(x, y, words, size=12, anchor="middle", more=""):
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" {more}>{escape(words)}</text>'


def line(x1, y1, x2, y2, colour="#000", width=1.0, more=""):
    return (f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" '
            f'stroke="{colour}" stroke-width="{width}" {more}/>')


def mark(kind, x, y, colour):
    if kind == "circle":
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"/>'
    ends = {"square": [(-3, -3), (3, -3), (3, 3), (-3, 3)], "triangle": [(0, -4), (4, 3), (-4, 3)],
            "diamond": [(0, -4.5), (4.5, 0), (0, 4.5), (-4.5, 0)]}[kind]
    points = " ".join(f"{x + dx:.1f},{y + dy:.1f}" for dx, dy in ends)
    return f'<polygon points="{points}" fill="{colour}"/>'


def error_bar(x, low, high, colour):
    """The spread, from one place to the other."""
    return [line(x, low, x, high, colour), line(x - 3, low, x + 3, low, colour),
            line(x - 3, high, x + 3, high, colour)]


def write(path, title, body, height=HEIGHT):
    with open(path, "w") as file:
        file.write(f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
                   f'viewBox="0 0 {WIDTH} {height}" font-family="sans-serif">\n'
                   f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>\n')
        file.write(text(WIDTH / 2, 24, title, 15, more='font-weight="bold"') + "\n")
        file.write("\n".join(body) + "\n</svg>\n")


def span(points):
    """Low and high of a point, itself where it has none."""
    return [(p[2], p[3]) if len(p) > 3 else (p[1], p[1]) for p in points]


def lines(path, title, xlabel, ylabel, series, logx=False, logy=False, xticks=None, low=0):
    """Writes a plot of `series`, pairs of a name and points. On a linear axis y begins at `low`."""
    series = [(name, sorted(points)) for name, points in series if points]
    if not series:
        return
    xs = [p[0] for _, points in series for p in points]
    ys = [y for _, points in series for pair in span(points) for y in pair]
    right = WIDTH - RIGHT - 8 - 7 * max(len(name) for name, _ in series) - 30
    x = Axis(min(xs), max(xs), LEFT + 10, right - 10, logx, xticks)
    y = Axis(min(ys) * 0.9 if logy else low, max(ys) * 1.06, HEIGHT - BOTTOM, TOP, logy)
    body = []
    for value, label in y.ticks:
        body += [line(LEFT, y.at(value), right, y.at(value), "#ddd"),
                 text(LEFT - 8, y.at(value) + 4, label, anchor="end")]
    end = -WIDTH
    for value, label in x.ticks:
        body.append(line(x.at(value), HEIGHT - BOTTOM, x.at(value), HEIGHT - BOTTOM + 5))
        half = 4 * len(label)
        if x.at(value) - half > end:  # else it would be over the one before
            body.append(text(x.at(value), HEIGHT - BOTTOM + 19, label))
            end = x.at(value) + half
    body += [line(LEFT, HEIGHT - BOTTOM, right, HEIGHT - BOTTOM), line(LEFT, TOP, LEFT, HEIGHT - BOTTOM),
             text((LEFT + right) / 2, HEIGHT - 12, xlabel, 13),
             text(0, 0, ylabel, 13, more=f'transform="translate(18 {(TOP + HEIGHT - BOTTOM) / 2}) rotate(-90)"')]
    for n, (name, points) in enumerate(series):
        colour, kind = COLOURS[n % len(COLOURS)], MARKS[n % len(MARKS)]
        dash = 'stroke-dasharray="6 3"' if n >= len(COLOURS) else ""
        way = " ".join(f"{x.at(p[0]):.1f},{y.at(p[1]):.1f}" for p in points)
        body.append(f'<polyline points="{way}" fill="none" stroke="{colour}" stroke-width="1.8" {dash}/>')
        for point, (bottom, top) in zip(points, span(points)):
            if bottom != top:
                body += error_bar(x.at(point[0]), y.at(bottom), y.at(top), colour)
            body.append(mark(kind, x.at(point[0]), y.at(point[1]), colour))
        place = TOP + 10 + n * 20
        body += [line(right + 8, place, right + 30, place, colour, 1.8, dash),
                 mark(kind, right + 19, place, colour), text(right + 36, place + 4, name, anchor="start")]
    write(path, title, body)


def bars(path, title, xlabel, data, highlight=()):
    """Writes horizontal bars; those whose label is in `highlight` stand out."""
    if not data:
        return
    left = 24 + 7 * max(len(row[0]) for row in data)
    height = TOP + BOTTOM + 26 * len(data)
    x = Axis(0, max(high for _, high in span(data)) * 1.12, left, WIDTH - RIGHT - 40)
    body = []
    for value, label in x.ticks:
        body += [line(x.at(value), TOP, x.at(value), height - BOTTOM, "#ddd"),
                 text(x.at(value), height - BOTTOM + 18, label)]
    for n, (row, (low, high)) in enumerate(zip(data, span(data))):
        top = TOP + 26 * n + 4
        colour = COLOURS[1] if row[0] in highlight else COLOURS[0]
        width = max(x.at(row[1]) - left, 0)
        body.append(f'<rect x="{left}" y="{top}" width="{width:.1f}" height="18" fill="{colour}"/>')
        if low != high:
            body += [line(x.at(low), top + 9, x.at(high), top + 9), line(x.at(low), top + 5, x.at(low), top + 13),
                     line(x.at(high), top + 5, x.at(high), top + 13)]
        body += [text(left - 8, top + 14, row[0], anchor="end"),
                 text(x.at(max(high, row[1])) + 6, top + 14, number(round(row[1], 3)), 11, "start")]
    body += [line(left, TOP, left, height - BOTTOM), text((left + WIDTH) / 2, height - 12, xlabel, 13)]
    write(path, title, body, height)
