"""What a heading, paragraph, list or table is: question, answer, symptoms, causes, fixes, checklist, contents."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from .blocks import Block

Role = Literal["", "symptoms", "causes", "fixes"]
Column = Literal["", "question", "answer", "symptom", "cause", "fix", "why"]

_BEFORE = r"(?:(?:the|common|possible|typical|main|key|potential|quick|likely|usual|recommended|known|other)\s+)*"
_AFTER = r"(?:\s+(?:of|for|to|that|and how|in)\b.*)?"
_ROLES: dict[Role, re.Pattern[str]] = {
    "symptoms": re.compile(
        rf"{_BEFORE}(?:symptoms?|signs?|warning signs|what you(?:'ll)? see|how to recogni[sz]e|when to suspect){_AFTER}"
        r"(?:\s+\w+)?",
        re.IGNORECASE,
    ),
    "causes": re.compile(rf"{_BEFORE}(?:root )?(?:causes?|reasons?|why it happens){_AFTER}", re.IGNORECASE),
    "fixes": re.compile(
        rf"{_BEFORE}(?:solutions?|fix(?:es)?|remed(?:y|ies)|workarounds?|resolutions?|mitigations?|treatments?|prevention|"
        rf"what to (?:do|try)|how to (?:fix|solve|prevent|avoid)(?:\s+(?:it|this|them))?|things to try){_AFTER}",
        re.IGNORECASE,
    ),
}
_COLUMNS: dict[Column, re.Pattern[str]] = {
    "question": re.compile(r"questions?|q", re.IGNORECASE),
    "answer": re.compile(r"answers?|a", re.IGNORECASE),
    "symptom": re.compile(
        r"(?:symptoms?|signs?|problems?|issues?|errors?|error message|what you see|observation)", re.IGNORECASE
    ),
    "cause": re.compile(r".*\b(?:causes?|reasons?|likely problem|diagnosis|meaning)\b.*", re.IGNORECASE),
    "fix": re.compile(
        r".*\b(?:solutions?|fix(?:es)?|remed(?:y|ies)|workarounds?|to try|what to do|technique|resolution|method)\b.*",
        re.IGNORECASE,
    ),
    "why": re.compile(
        r"why.*|how it (?:helps|works)|effect|benefit|description|explanation|purpose|reason", re.IGNORECASE
    ),
}
_EMPHASIS = r"(?:\*{1,3}|_{1,3})?"
_ASKS = re.compile(
    rf"\s*(?:>\s*)?{_EMPHASIS}\s*(?:Q|Question)\s*\d{{0,3}}\s*{_EMPHASIS}\s*([:.)])\s*{_EMPHASIS}\s*", re.IGNORECASE
)
_ANSWERS = re.compile(
    rf"\s*(?:>\s*)?{_EMPHASIS}\s*(?:A|Ans|Answer)\s*\d{{0,3}}\s*{_EMPHASIS}\s*[:.)]\s*{_EMPHASIS}(?=\s|$|\w)",
    re.IGNORECASE,
)
_BOLD = re.compile(r"\s*(\*\*|__)(?=\S)(.+?)\1", re.DOTALL)
_ITALIC = re.compile(r"\s*(\*|_)(?=[^\s*_])(.+?\?)\1\s*", re.DOTALL)
_LABEL = re.compile(
    r"\s*(?:(\*\*|__)(?=\S)([^*_\n]{2,60}?)(?::\1|\1\s*:|\1\s*$)|([A-Z][a-z]+(?: [a-z]+)?):(?=\s|$))", re.MULTILINE
)
_INTERROGATIVE = re.compile(
    r"(?:how|what|why|when|which|where|who|can|could|should|do|does|did|is|are|will|would|my|i)\b", re.IGNORECASE
)
_NUMBERED = re.compile(r"(?:(?:step|stage|phase|part)\s+)?\d+(?:\.\d+)*[.):]?\s", re.IGNORECASE)
_TAG = re.compile(
    r"</?(?:a|abbr|b|big|br|center|code|del|details|div|em|font|h[1-6]|i|img|ins|kbd|mark|p|s|small|span|strong|sub|summary|sup|tt|u)"
    r"(?:\s[^>]*)?/?>",
    re.IGNORECASE,
)
_FRAGMENT = re.compile(r"\s*(?:[-*+]|\d+[.)])\s+\[[^\]]*\]\(#[^)]*\)\s*")


def role(heading: str) -> Role:
    """Whether a heading (or label) announces symptoms, causes or fixes."""
    words = re.sub(r"^[\W\d_]+|[\W_]+$", "", plain(heading))
    return next((name for name, pattern in _ROLES.items() if pattern.fullmatch(words)), "")


def label(text: str) -> tuple[Role, str, str]:
    """A paragraph that begins with a label such as `**Solution:**`: its role, the label, and what follows."""
    match = _LABEL.match(text)
    name = (match.group(2) or match.group(3)) if match else ""
    found = role(name) if name else ""
    return (found, name.strip(" :"), text[match.end() :].strip(" :\n")) if match and found else ("", "", text)


def question(text: str) -> tuple[str, str] | None:
    """The question that a paragraph begins with and what follows it; None if it asks nothing as FAQs do."""
    asks = _ASKS.match(text)
    if asks and (asks.group(1) == ":" or "?" in text):
        return _cut(text, asks.end())
    bold = _BOLD.match(text)
    if bold and bold.group(2).rstrip(' :"”*_').endswith("?"):
        return shown(bold.group(2)), text[bold.end() :].strip()
    italic = _ITALIC.fullmatch(text)
    if italic:
        return shown(italic.group(2)), ""
    line = text.strip()
    if asks_plainly(line) and "\n" not in line:
        return line, ""
    return None


def _cut(text: str, start: int) -> tuple[str, str] | None:
    """A question behind its mark: up to the end of the emphasis, of the question, or of the line."""
    rest = text[start:]
    bold = _BOLD.match(text)
    if bold and start < bold.end():
        asked, after = text[start : bold.end()], text[bold.end() :]
    else:
        line, _, after = rest.partition("\n")
        mark = rest.find("?")
        if mark >= 0 and (mark > len(line) or len(line) > mark + 1):
            asked, after = rest[: mark + 1], rest[mark + 1 :]
            closing = re.match(r"(?:\*{1,3}|_{1,3}|[\"”)])+", after)
            after = after[closing.end() :] if closing else after
        else:
            asked = line
    asked = shown(asked)
    return (asked, after.strip()) if asked else None


def asks_plainly(text: str) -> bool:
    """Whether a heading or a line by itself is one question."""
    words = plain(text)
    return (
        words.endswith("?")
        and len(words.split()) <= 30
        and not re.search(r"[.!?]\s", words)
        and bool(_INTERROGATIVE.match(words))
    )


def answer(text: str) -> str | None:
    """The text behind an answer mark, None if there is no such mark. An emphasis that it opens stays closed."""
    match = _ANSWERS.match(text)
    if match is None:
        return None
    mark, rest = match.group(), text[match.end() :].lstrip()
    opened = mark.count("**") % 2 == 1
    return re.sub(r"\*\*", "", rest, count=1) if opened else rest


def segments(text: str) -> list[tuple[int, str]]:
    """A paragraph cut before every line that begins with a question or answer mark: (line offset, text)."""
    found: list[tuple[int, list[str]]] = []
    for i, line in enumerate(text.split("\n")):
        marked = ((m := _ASKS.match(line)) and (m.group(1) == ":" or "?" in line)) or _ANSWERS.match(line)
        if marked or not found:
            found.append((i, []))
        found[-1][1].append(line)
    return [(i, "\n".join(lines)) for i, lines in found]


def asked_in_items(block: Block) -> list[tuple[str, str] | None] | None:
    """The questions of a list whose items are mostly marked questions; None if it is an ordinary list."""
    if any(item.task for item in block.items):
        return None
    found = [question(item.text) if _ASKS.match(item.text) or _BOLD.match(item.text) else None for item in block.items]
    return found if 2 * sum(q is not None for q in found) > len(found) else None


def is_sentence(heading: str) -> bool:
    """Whether a heading is really a sentence of the text: it ends as one, or is too long to be a title."""
    words = plain(heading)
    count = len(words.split())
    if words.endswith("?"):
        return count > 30
    return count >= 16 or (count >= 6 and bool(re.search(r"[^.\d][.!;]$", words)))


def numbered(heading: str) -> bool:
    """Whether a heading counts a step or part: "2. Model", "Step 3: Train"."""
    return bool(_NUMBERED.match(plain(heading)))


def is_contents(block: Block) -> bool:
    """Whether a list is a table of contents: nothing but links into the document."""
    lines = [line for line in block.text.split("\n") if line.strip()]
    return block.kind == "list" and len(lines) > 1 and all(_FRAGMENT.fullmatch(line) for line in lines)


def columns(header: Sequence[str]) -> list[Column]:
    """What each column of a table holds, each kind at most once."""
    found: list[Column] = []
    for cell in header:
        fits = (kind for kind, pattern in _COLUMNS.items() if pattern.fullmatch(plain(cell)) and kind not in found)
        found.append(next(fits, ""))
    return found


def plain(text: str) -> str:
    """Text on one line without emphasis, code marks and HTML tags; of links the words."""
    return unmarked(re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text))


def shown(text: str) -> str:
    """The same with links as they are, and with marks where there is nothing else: for what is kept nowhere else."""
    return (" ".join(text.replace("**", "").split()) if markup(text) else unmarked(text)) or text.strip()


def markup(text: str) -> bool:
    """Whether `plain` would lose something: an address."""
    return "](" in text or "][" in text


def unmarked(text: str) -> str:
    text = _TAG.sub("", text)
    text = re.sub(r"\*\*|__|`|(?<!\w)[*_](?=\w)|(?<=[\w.?!])[*_](?!\w)", "", text)
    return " ".join(text.split()).strip("*_ ")
