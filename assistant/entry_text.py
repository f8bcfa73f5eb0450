"""One entry of the knowledge base as Markdown."""

from __future__ import annotations

from collections.abc import Iterable

from knowledge.load import KnowledgeBase
from knowledge.schema import Entry

from .engine.fixes import SpecificFix, specific
from .say import name_of


def entry_markdown(kb: KnowledgeBase, entry: Entry) -> str:
    """One entry as Markdown."""
    parts = [f"# {entry.title}", entry.summary.strip(), entry.body.strip()]
    if entry.symptoms:
        parts += [
            "## What you see",
            bullets(f"{kb.symptoms[s].statement} ({word})" for s, word in entry.symptoms.items()),
        ]
    if entry.causes:
        parts += ["## Causes", bullets(entry.causes)]
    if entry.fixes:
        parts.append("## What to do, in this order")
        parts += [fix_markdown(i, fix) for i, fix in enumerate(specific(entry, {}), 1)]
    if entry.look_alikes:
        parts += [
            "## Looks the same, is not",
            bullets(f"**{name_of(kb, o.id)}** (`{o.id}`): {o.difference}" for o in entry.look_alikes),
        ]
    if entry.qa:
        parts.append("## Questions")
        parts += [f"**{qa.question}**\n\n{qa.answer.strip()}" for qa in entry.qa]
    if entry.caveats:
        parts += ["## Where common advice goes wrong", bullets(entry.caveats)]
    if entry.related:
        parts.append("Related: " + ", ".join(f"`{r}`" for r in entry.related))
    if entry.sources:
        parts += ["## Sources", bullets(" ".join(p for p in (s.title, s.place, s.url) if p) for s in entry.sources)]
    return "\n\n".join(p for p in parts if p) + "\n"


def fix_markdown(number: int, fix: SpecificFix) -> str:
    """One fix as Markdown."""
    lines = [f"### {number}. {fix.title}", fix.how.strip()]
    if fix.code:
        lines.append(f"```python\n{fix.code.rstrip()}\n```")
    lines += [
        f"*{label}:* {t.strip()}" for label, t in (("Why", fix.why), ("Not if", fix.unless), ("Check", fix.check)) if t
    ]
    return "\n\n".join(lines)


def bullets(items: Iterable[str]) -> str:
    """A Markdown list."""
    return "\n".join(f"- {' '.join(item.split())}" for item in items)
