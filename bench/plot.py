"""Plots as SVG, written by hand, that are read on a light and on a dark page."""
import html
import math

WIDTH, HEIGHT = 760, 400
LEFT, RIGHT, TOP, BOTTOM = 56, 16, 44, 48
LEGEND = 150  # right of the axes
# Of one contrast on white and on black, apart for those who do not see red from green.
LIGHT = ["#0b62c4", "#c2410c", "#0f7b54", "#8a3ab0", "#7a6a00"]
DARK = ["#6cb0ff", "#ff9a62", "#4fd1a1", "#d59bf0", "#e0cd4d"]
DASHES = ["", "7 3", "2 3", "9 3 2 3", "4 4"]


def style():
    """Colours for either page; the background is the plot's own, so that it is read on any."""
    def rules(back, text, grid, lines):
        each = " ".join(f".line{number} {{ stroke: {colour} }}" for number, colour in enumerate(lines))
        return f".back {{ fill: {back} }} text {{ fill: {text} }} .grid {{ stroke: {grid} }} .axis {{ stroke: {text} }} {each}"
    light, dark = rules("#ffffff", "#1f2328", "#d8dee4", LIGHT), rules("#0d1117", "#e6edf3", "#30363d", DARK)
    return (f"<style>{light} text {{ font: 12px sans-serif }} .title {{ font-size: 14px }} path {{ fill: none; stroke-width: 2 }}"
            f" @media (prefers-color-scheme: dark) {{ {dark} }}</style>")


def text(x, y, words, anchor="start", name=""):
    """A line of text."""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" class="{name}">{html.escape(words)}</text>'


def line(x1, y1, x2, y2, name):
    """A straight line."""
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{name}"/>'


class Axes:
    """Milliseconds to the right, by powers of ten; shares upward, from 0 to 1."""

    def __init__(self, values):
        self.low = math.floor(math.log10(max(min(values), 0.01)))
        self.high = max(self.low + 1, math.ceil(math.log10(max(values))))
        self.right, self.bottom = WIDTH - RIGHT - LEGEND, HEIGHT - BOTTOM

    def x(self, value):
        """Where a number of milliseconds is."""
        share = (math.log10(max(value, 10**self.low)) - self.low) / (self.high - self.low)
        return LEFT + share * (self.right - LEFT)

    def y(self, share):
        """Where a share is."""
        return self.bottom - share * (self.bottom - TOP)

    def drawn(self):
        """Grid, numbers and what they are of."""
        for power in range(self.low, self.high + 1):
            x = self.x(10**power)
            yield line(x, TOP, x, self.bottom, "grid")
            yield text(x, self.bottom + 18, f"{10**power:g}", "middle")
        for quarter in range(5):
            y = self.y(quarter / 4)
            yield line(LEFT, y, self.right, y, "axis" if quarter == 0 else "grid")
            yield text(LEFT - 8, y + 4, f"{quarter * 25} %", "end")
        yield text((LEFT + self.right) / 2, HEIGHT - 10, "gap, ms", "middle")


def steps(axes, values, count):
    """The path of a cumulative distribution: a step up at each value. Ends below 1 where some of `count` have none."""
    path = f"M{LEFT} {axes.y(0):.1f}"
    for number, value in enumerate(sorted(values), 1):
        path += f" H{axes.x(value):.1f} V{axes.y(number / count):.1f}"
    return path + f" H{axes.right:.1f}"


def distribution(title, series):
    """An SVG of the cumulative distributions of lists of milliseconds by name; None in a list is a value beyond all."""
    known = {name: [value for value in values if value is not None] for name, values in series.items()}
    axes = Axes([value for values in known.values() for value in values] or [1])
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" role="img">',
             f"<title>{html.escape(title)}</title>", style(), f'<rect width="{WIDTH}" height="{HEIGHT}" class="back"/>',
             text(LEFT, 24, title, name="title"), *axes.drawn()]
    for number, (name, values) in enumerate(series.items()):
        look = f'class="line{number % len(LIGHT)}" stroke-dasharray="{DASHES[number % len(DASHES)]}"'
        y = TOP + 14 + 22 * number
        parts.append(f'<path d="{steps(axes, known[name], len(values))}" {look}/>')
        parts.append(f'<path d="M{axes.right + 14} {y - 4} H{axes.right + 44}" {look}/>')
        parts.append(text(axes.right + 52, y, name))
    return "\n".join([*parts, "</svg>", ""])
