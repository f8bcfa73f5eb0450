"""What a reader sees of HTML, as Markdown: pictures as captions, summaries in bold, links kept, other tags gone."""

from __future__ import annotations

import re
from html.parser import HTMLParser

_IMG = re.compile(r"<img\b[^>]*>", re.IGNORECASE)
_IMAGE = re.compile(r'!\[([^\]\n]*)\]\(\s*<?([^)\s>]*)>?(?:\s+"([^"\n]*)")?\s*\)')
_CODE = re.compile(r"```|~~~|`[^`\n]*!\[|`[^`\n]*<img", re.IGNORECASE)
_BREAKS = {
    "br",
    "p",
    "div",
    "tr",
    "li",
    "ul",
    "ol",
    "table",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "pre",
    "details",
    "dt",
    "dd",
}


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        of = {name: value or "" for name, value in attrs}
        if tag == "img":
            self.parts.append(caption(of.get("alt", ""), of.get("src", ""), of.get("title", "")))
        elif tag == "summary":
            self.parts.append("\n**")
        elif tag == "a":
            self.links.append(of.get("href", ""))
            self.parts.append("[" if self.links[-1] else "")
        elif tag in _BREAKS:
            self.parts.append("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag == "summary":
            self.parts.append("**\n")
        elif tag == "a" and self.links:
            href = self.links.pop()
            self.parts.append(f"]({href})" if href else "")
        elif tag in _BREAKS:
            self.parts.append("\n")

    def handle_data(self, data: str) -> None:
        self.parts.append(data)

    unknown_decl = handle_pi = handle_data


def html_text(html: str) -> str:
    """The text of an HTML block; "" if a reader sees nothing."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    text = "".join(reader.parts)
    text = re.sub(r"\*\*\s*(.*?)\s*\*\*", lambda m: f"**{m.group(1)}**" if m.group(1) else "", text, flags=re.DOTALL)
    lines = [line.strip() for line in text.split("\n")]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def captions(markdown: str) -> str:
    """Markdown with its pictures, in either notation, as captions. Text that holds code stays as it is."""
    if _CODE.search(markdown):
        return markdown
    text = _IMAGE.sub(lambda m: caption(m.group(1), m.group(2), m.group(3) or ""), markdown)
    return _IMG.sub(lambda m: html_text(m.group()), text)


def caption(alt: str, src: str, title: str = "") -> str:
    """A picture in words."""
    said = ": ".join(" ".join(part.split()) for part in (alt, title) if part.strip())
    return f"(Image{': ' + said if said else ''}{', ' + src if src else ''})"
