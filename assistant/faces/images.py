"""Small pictures of numbers, such as a layer's filters: from a Plot of kind "images".

Two characters a number, so that pictures come out about square. Each is scaled by itself, from its lowest value (blank)
to its highest (full).
"""

from __future__ import annotations

import math
from itertools import zip_longest

from probes.finding import Image, Plot

from ..visible import visible
from .scale import share

SHADES = " ░▒▓█"
LETTERS = " .:-=+*#%@"
MOST_IMAGES = 32
MOST_LINES = 28
"""Lines of one plot; pictures beyond them are counted."""


def image_lines(plot: Plot, columns: int, fine: bool = False) -> list[str]:
    """Rows of pictures side by side, with their labels above."""
    drawn, ramp = plot.images[:MOST_IMAGES], SHADES if fine else LETTERS
    cells = [[visible(i.label, 14), *picture(i, ramp)] for i in drawn]
    wide = max((len(line) for cell in cells for line in cell), default=0)
    across, shown = max(1, columns // (wide + 2)), 0
    lines = [f"  {visible(plot.title)}"]
    while shown < len(cells):
        band = cells[shown : shown + across]
        if shown and len(lines) + max(map(len, band)) + 1 > MOST_LINES:
            break
        lines.append("")
        lines += ["  " + "  ".join(t.ljust(wide) for t in row).rstrip() for row in zip_longest(*band, fillvalue="")]
        shown += len(band)
    if shown < len(plot.images):
        lines.append(f"  ... and {len(plot.images) - shown} more")
    return lines[:1] + [line[:columns] for line in lines[1:]]


def picture(image: Image, ramp: str) -> list[str]:
    """One picture as lines, in a frame; "!" where a number is not finite."""
    lines = []
    for row in grey(image):
        marks = ("!" if level is None else ramp[min(len(ramp) - 1, int(level * len(ramp)))] for level in row)
        lines.append("|" + "".join(2 * mark for mark in marks) + "|")
    return lines


def grey(image: Image) -> list[list[float | None]]:
    """The numbers between the picture's lowest (0) and highest (1); None for what is not finite."""
    finite = [v for row in image.rows for v in row if math.isfinite(v)]
    low, high = (min(finite), max(finite)) if finite else (0.0, 0.0)
    return [[share(v, low, high) if math.isfinite(v) else None for v in row] for row in image.rows]
