"""Untrusted text on its way to a face: names, paths, log lines, messages of other people's code.

Everything that is not printable is shown as an escape, so that no terminal sequence, no direction override and no
control character gets through; what is too long is cut in its middle. Markup of a face is that face's own matter.
"""

from __future__ import annotations


def visible(text: object, limit: int = 200) -> str:
    r"""One line of printable text: `visible("a\x1b[31m")` is `a\x1b[31m` with the escape spelled out."""
    return shorten("".join(c if c.isprintable() else spelled(c) for c in str(text)), limit)


def visible_lines(text: object, limit: int = 4000) -> str:
    """The same, keeping line breaks and turning tabs into blanks."""
    lines = str(text).replace("\r\n", "\n").replace("\t", "    ").split("\n")
    return shorten("\n".join(visible(line, limit) for line in lines), limit)


def spelled(char: str) -> str:
    r"""How an unprintable character is written: \x1b, \u202e."""
    code = ord(char)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def shorten(text: str, limit: int) -> str:
    """At most `limit` characters, the middle left out."""
    if len(text) <= limit:
        return text
    head = limit // 2
    return text[:head] + "…" + text[len(text) - (limit - head - 1) :]


def figure(value: object, unit: str = "") -> str:
    """A number for a reader: three significant digits, plain from 0.001 to 99,999; other values as visible text."""
    if value is None:
        return "-"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return visible(value, 80)
    text = f"{value:,}" if isinstance(value, int) else rounded(value)
    return f"{text} {unit}".rstrip() if unit != "%" else f"{text} %"


def rounded(value: float) -> str:
    """Three significant digits."""
    if value != value or value in (float("inf"), float("-inf")):
        return {"nan": "NaN", "inf": "inf", "-inf": "-inf"}[str(value)]
    if value == int(value) and abs(value) < 1e5:
        return f"{int(value):,}"
    if 1e-3 <= abs(value) < 1e5:
        digits = f"{value:#.3g}" if abs(value) < 1000 else f"{value:,.0f}"
        return digits.rstrip("0").rstrip(".") if "." in digits and "e" not in digits else digits.rstrip(".")
    return f"{value:.2e}"
