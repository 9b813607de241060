# SPDX-License-Identifier: GPL-2.0
"""A chart of grouped bars, as SVG."""

import math
from xml.sax.saxutils import escape

COLOURS = ("#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377", "#bbbbbb", "#ee8866", "#44bb99",
           "#222222")
WIDTH, HEIGHT = 760, 320
LEFT, RIGHT, TOP, BOTTOM = 70, 10, 50, 45


def ticks(top):
    """Round numbers from 0 to at least `top`, about five of them."""
    rough = (top or 1) / 5
    power = 10 ** math.floor(math.log10(rough))
    step = next(step * power for step in (1, 2, 5, 10) if step * power >= rough * 0.9999)
    return [number * step for number in range(math.ceil(top / step * 0.9999) + 1)] if top else [0, 1]


def bars(title, x_label, y_label, groups, series):
    """A group of bars for each of `groups`, with one bar of each of `series`: a dictionary of names and
    their values."""
    scale = ticks(max(max(values) for values in series.values()))
    plot, height = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
    bottom, group = TOP + height, plot / len(groups)
    bar = group * 0.8 / len(series)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" '
           f'height="{HEIGHT}" font-family="sans-serif" font-size="11">',
           f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>']

    def text(x, y, words, more=""):
        out.append(f'<text x="{x:.1f}" y="{y:.1f}" {more}>{escape(words)}</text>')

    text(LEFT, 16, title, 'font-size="13" font-weight="bold"')
    x = LEFT
    for name, colour in zip(series, COLOURS):
        out.append(f'<rect x="{x}" y="25" width="10" height="10" fill="{colour}"/>')
        text(x + 14, 34, name)
        x += 24 + 6.5 * len(name)
    for tick in scale:
        y = bottom - height * tick / scale[-1]
        out.append(f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="{"#ddd" if tick else "#000"}"/>')
        text(LEFT - 5, y + 4, f"{tick:g}", 'text-anchor="end"')
    for number, name in enumerate(groups):
        start = LEFT + group * (number + 0.1)
        text(start + group * 0.4, bottom + 16, name, 'text-anchor="middle"')
        for place, (values, colour) in enumerate(zip(series.values(), COLOURS)):
            tall = height * values[number] / scale[-1]
            out.append(f'<rect x="{start + bar * place:.1f}" y="{bottom - tall:.1f}" width="{bar:.1f}" '
                       f'height="{tall:.1f}" fill="{colour}"/>')
    text(LEFT + plot / 2, HEIGHT - 8, x_label, 'text-anchor="middle"')
    text(-TOP - height / 2, 14, y_label, 'text-anchor="middle" transform="rotate(-90)"')
    return "\n".join([*out, "</svg>", ""])


def course(title, x_label, y_label, shade_label, step, series, shade):
    """Lines over a time that passes in steps, one of each of `series`; behind them an area, `shade`, with an axis of its own
    on the right."""
    scale, shades = ticks(max(max(values) for values in series.values())), ticks(max(shade))
    right, height = WIDTH - RIGHT - 40, HEIGHT - TOP - BOTTOM
    bottom, plot = TOP + height, WIDTH - RIGHT - 40 - LEFT
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" '
           f'height="{HEIGHT}" font-family="sans-serif" font-size="11">',
           f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>']

    def text(x, y, words, more=""):
        out.append(f'<text x="{x:.1f}" y="{y:.1f}" {more}>{escape(words)}</text>')

    def steps(values, top):
        """Each value lasts for a step."""
        wide = plot / len(values)
        return "".join(f"L{LEFT + wide * at:.1f} {bottom - height * value / top:.1f}H{LEFT + wide * (at + 1):.1f}"
                       for at, value in enumerate(values))

    text(LEFT, 16, title, 'font-size="13" font-weight="bold"')
    x = LEFT
    for name, colour in (*zip(series, COLOURS), (shade_label, "#ccc")):
        out.append(f'<rect x="{x}" y="25" width="10" height="10" fill="{colour}"/>')
        text(x + 14, 34, name)
        x += 24 + 6.5 * len(name)
    out.append(f'<path d="M{LEFT} {bottom}{steps(shade, shades[-1])}V{bottom}Z" fill="#ccc"/>')
    for tick in scale:
        y = bottom - height * tick / scale[-1]
        out.append(f'<path d="M{LEFT} {y:.1f}H{right}" stroke="{"#ddd" if tick else "#000"}"/>')
        text(LEFT - 5, y + 4, f"{tick:g}", 'text-anchor="end"')
    for tick in shades:
        text(right + 5, bottom - height * tick / shades[-1] + 4, f"{tick:g}")
    hours = len(shade) * step
    for hour in ticks(hours):
        if hour <= hours:
            text(LEFT + plot * hour / hours, bottom + 16, f"{hour:g}", 'text-anchor="middle"')
    for values, colour in zip(series.values(), COLOURS):
        out.append(f'<path d="M{steps(values, scale[-1])[1:]}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
    text(LEFT + plot / 2, HEIGHT - 8, x_label, 'text-anchor="middle"')
    text(-TOP - height / 2, 14, y_label, 'text-anchor="middle" transform="rotate(-90)"')
    text(TOP + height / 2, 8 - WIDTH, shade_label, 'text-anchor="middle" transform="rotate(90)"')
    return "\n".join([*out, "</svg>", ""])
