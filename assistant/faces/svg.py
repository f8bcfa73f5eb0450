"""A Plot as an SVG picture: no script, no font from elsewhere, colours that work on light and dark."""

from __future__ import annotations

import math
from collections.abc import Callable
from html import escape

from probes.finding import Curve, Plot

from ..visible import figure, visible
from .bars import MOST_BARS, scaled
from .curves import points, unlog
from .images import MOST_IMAGES, grey
from .scale import share

WIDTH, HEIGHT, LEFT, BOTTOM = 640, 240, 64, 28
SIDE = 70
COLOURS = ("#2a78d6", "#d9662b", "#4a9b5f", "#9a5fc0")


def svg(plot: Plot) -> str:
    """The picture, with its title in words."""
    body, height = {"bars": bars, "lines": lines, "images": images}[plot.kind](plot)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" role="img" '
        f'font-family="sans-serif" font-size="11" fill="currentColor"><title>{escape(visible(plot.title))}</title>'
        f'<text x="0" y="12" font-weight="bold">{escape(visible(plot.title))}</text>{body}</svg>'
    )


def bars(plot: Plot) -> tuple[str, int]:
    """A bar a name, and the height of the picture."""
    values = list(plot.curves[0].y)[:MOST_BARS] if plot.curves else []
    parts = []
    for i, (name, value, length) in enumerate(zip(plot.names, values, scaled(values, plot.log_y), strict=False)):
        y = 24 + 16 * i
        parts.append(f'<text x="150" y="{y + 10}" text-anchor="end">{escape(visible(name, 26))}</text>')
        parts.append(f'<rect x="156" y="{y}" width="{max(1.0, 380 * length):.1f}" height="12" fill="{COLOURS[0]}"/>')
        parts.append(f'<text x="{160 + 380 * length:.1f}" y="{y + 10}">{escape(figure(value))}</text>')
    return "".join(parts), 32 + 16 * len(values)


def images(plot: Plot) -> tuple[str, int]:
    """Pictures in rows, black to white, each on its own scale; what is not finite in colour."""
    parts, x, y, deepest = [], 0, 24, 0
    for image in plot.images[:MOST_IMAGES]:
        across = max((len(row) for row in image.rows), default=1)
        dot = max(2, min(18, round(SIDE / max(across, len(image.rows), 1))))  # whole: no seams
        if x + dot * across > WIDTH:
            x, y, deepest = 0, y + deepest + 24, 0
        for j, row in enumerate(grey(image)):
            for i, level in enumerate(row):
                fill = COLOURS[1] if level is None else "#" + f"{round(255 * level):02x}" * 3
                where = f'x="{x + dot * i}" y="{y + dot * j}"'
                parts.append(f'<rect {where} width="{dot}" height="{dot}" fill="{fill}"/>')
        deep = dot * len(image.rows)
        frame = f'width="{dot * across}" height="{deep}" fill="none" stroke="currentColor"'
        parts.append(f'<rect x="{x}" y="{y}" {frame} stroke-opacity=".4"/>')
        parts.append(f'<text x="{x}" y="{y + deep + 12}">{escape(visible(image.label, 14))}</text>')
        x, deepest = x + max(dot * across, SIDE) + 10, max(deepest, deep)
    return '<g shape-rendering="crispEdges">' + "".join(parts) + "</g>", y + deepest + 24


def lines(plot: Plot) -> tuple[str, int]:
    """Curves over x, and the height of the picture. Non-finite points break a line and get a mark at the bottom."""
    data = [(c, points(c, plot.log_y)) for c in plot.curves]
    finite = [(x, y) for _, line in data for x, y in line if math.isfinite(y)]
    if not finite:
        return f'<text x="0" y="40">{escape("no finite value to draw")}</text>', 50
    x_span = span([x for c in plot.curves for x in c.x])
    y_span = span([y for _, y in finite])

    def place(x: float, y: float) -> tuple[float, float]:
        return (
            LEFT + share(x, *x_span) * (WIDTH - LEFT - 8),
            20 + (1 - share(y, *y_span)) * (HEIGHT - 24 - BOTTOM),
        )

    parts = [path(line, place, COLOURS[i % len(COLOURS)]) for i, (_, line) in enumerate(data)]
    parts += legend([c for c, _ in data])
    for y in y_span:
        shown = figure(unlog(y, plot))
        parts.append(f'<text x="{LEFT - 6}" y="{place(x_span[0], y)[1] + 4:.1f}" text-anchor="end">{shown}</text>')
    for x, anchor in zip(x_span, ("start", "end"), strict=True):
        parts.append(f'<text x="{place(x, 0)[0]:.1f}" y="{HEIGHT - 8}" text-anchor="{anchor}">{figure(x)}</text>')
    parts += [mark(place(x, 0)[0], label) for x, label in plot.marks]
    return "".join(parts), HEIGHT


def span(values: list[float]) -> tuple[float, float]:
    """Lowest and highest."""
    return min(values), max(values)


def path(line: list[tuple[float, float]], place: Callable[[float, float], tuple[float, float]], colour: str) -> str:
    """One polyline a run of finite points."""
    runs: list[list[str]] = [[]]
    for x, y in line:
        if math.isfinite(y):
            px, py = place(x, y)
            runs[-1].append(f"{px:.1f},{py:.1f}")
        elif runs[-1]:
            runs.append([])
    return "".join(
        f'<polyline fill="none" stroke="{colour}" stroke-width="1.5" points="{" ".join(r)}"/>' for r in runs if r
    )


def legend(curves: list[Curve]) -> list[str]:
    """Names of the curves, in their colours."""
    return [
        f'<text x="{WIDTH - 8}" y="{34 + 14 * i}" text-anchor="end" fill="{COLOURS[i % len(COLOURS)]}">'
        f"{escape(visible(c.label, 30))}</text>"
        for i, c in enumerate(curves)
    ]


def mark(x: float, label: str) -> str:
    """A vertical line with its label."""
    return (
        f'<line x1="{x:.1f}" x2="{x:.1f}" y1="20" y2="{HEIGHT - BOTTOM}" stroke="currentColor" stroke-dasharray="3 3"/>'
        f'<text x="{x + 4:.1f}" y="{HEIGHT - BOTTOM - 4}">{escape(visible(label, 40))}</text>'
    )
