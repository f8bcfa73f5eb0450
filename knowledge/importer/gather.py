"""Sections -> entries in the making: every block finds its field, or is reported as not placed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from ..schema import QA, Fix, Often, Source
from . import classify
from .blocks import Block
from .sections import Section, is_part

NO_ANSWER = "(The document has no answer to this.)"
NO_HOW = "(The document does not say how.)"
NO_WHY = "(The document does not say why.)"
DEFINITION = "a definition of a link that nothing uses"
_PYTHON = ("", "python", "py", "python3", "pytorch")

Symptoms = Callable[[str], Iterable[str]]
"""A text -> ids of the symptoms that it surely names."""


@dataclass(frozen=True, slots=True)
class Unplaced:
    """A piece of a document that is in no entry, and why."""

    why: str
    text: str
    start: int
    end: int


@dataclass(slots=True)
class Draft:
    """An entry in the making, and the lines of the document that it came from."""

    title: str
    start: int
    end: int
    path: tuple[str, ...]
    document: str
    id: str = ""
    summary: str = ""
    symptoms: dict[str, Often] = field(default_factory=dict)
    causes: list[str] = field(default_factory=list)
    fixes: list[Fix] = field(default_factory=list)
    qa: list[QA] = field(default_factory=list)
    body: list[str] = field(default_factory=list)
    sources: list[Source] = field(default_factory=list)
    unanswered: list[tuple[int, str]] = field(default_factory=list)
    described: bool = False

    @property
    def kind(self) -> str:
        """A diagnosis has symptoms, causes or fixes; everything else is a guide."""
        return "diagnosis" if self.described or self.symptoms or self.causes or self.fixes else "guide"

    @property
    def empty(self) -> bool:
        """Whether nothing has been put in."""
        return not (self.summary or self.causes or self.fixes or self.qa or self.body)


def drafts(root: Section, symptoms: Symptoms) -> tuple[list[Draft], list[Unplaced]]:
    """The entries of a document in its order, and what is in none of them."""
    gatherer = _Gatherer(root.title, symptoms)
    gatherer.entry(root)
    made = gatherer.made
    unplaced = [u for u in gatherer.unplaced if u.why != DEFINITION or not define(u.text, made)]
    return made, sorted(unplaced, key=lambda u: u.start)


class _Gatherer:
    def __init__(self, document: str, symptoms: Symptoms) -> None:
        self.document = document
        self.symptoms = symptoms
        self.made: list[Draft] = []
        self.unplaced: list[Unplaced] = []

    def entry(self, section: Section) -> None:
        """The entry of a section, then those of the sections below that are no parts of it."""
        parts = [c for c in section.children if is_part(c, section)]
        last = max([section.line, *(b.end for b in section.blocks), *(p.end for p in parts)])
        draft = Draft(section.title, section.line, last, section.path, self.document)
        if classify.markup(section.heading):
            draft.body.append(section.heading)
        at = len(self.made)
        others = [c for c in section.children if c not in parts]
        if section.depth and classify.asks_plainly(section.heading):
            self.ask(draft, section, section.blocks, others)
        else:
            self.place(draft, section.blocks, "", "", "", section.line)
        for part in parts:
            self.part(draft, part)
        if section.footer:
            self.place(draft, section.footer, "", "", "at the end", section.footer[0].start)
        if not draft.empty:
            self.finish(draft)
        for child in others:
            self.entry(child)
        if not draft.empty:
            self.made.insert(at, draft)
            return
        if section.level and len(self.made) == at:
            self.no_text(section.heading, section.line)
        for source in draft.sources:
            self.no_text(source.place, section.line)

    def no_text(self, heading: str, line: int) -> None:
        """Report a heading under which nothing stands."""
        self.unplaced.append(Unplaced("a heading without text", heading, line, line))

    def part(self, draft: Draft, section: Section, above: str = "") -> None:
        """Put a section into the entry that it is a part of."""
        name = f"{above} > {section.title}" if above else section.title
        if classify.asks_plainly(section.heading):
            self.ask(draft, section, section.blocks, [])
        elif section.bare:
            self.no_text(section.heading, section.line)
        else:
            found = classify.role(section.heading)
            hashes = "#" * min(6, 2 + section.depth - (1 if section.depth > 1 else 0))
            self.place(draft, section.blocks, found, f"{hashes} {section.heading}", name, section.line)
        for child in section.children:
            self.part(draft, child, name)

    def ask(self, draft: Draft, section: Section, blocks: list[Block], others: list[Section]) -> None:
        """A heading that is a question: what follows is its answer."""
        inner = [b for b in blocks if not self.set_aside(b)]
        texts = [b.text for b in inner if b.kind != "rule"]
        starts_with_mark = classify.answer(texts[0]) if texts and inner[0].kind == "paragraph" else None
        if starts_with_mark is not None:
            texts[0] = starts_with_mark
        answered = "\n\n".join(t for t in texts if t.strip())
        if not answered and (section.children or others):
            draft.body.append(f"### {section.heading}")
            return
        self.put_question(draft, section.line, classify.shown(section.heading), answered)
        if draft.title != section.title:
            draft.sources.append(self.source(draft, section.title, section.line, section.end))

    def place(self, draft: Draft, blocks: list[Block], part_role: str, heading: str, name: str, at: int) -> None:
        """Put blocks into the fields that they are for; what is for none goes into the body, under its heading."""
        kept: list[str] = []
        noted: list[str] = []
        said, used = part_role, False
        left = list(questions(draft, [b for b in blocks if not self.set_aside(b)], self.put_question))
        for block, after in zip(left, [*left, None][1:], strict=True):
            new_role, words, rest = classify.label(block.text) if block.kind == "paragraph" else ("", "", "")
            if new_role and (rest or leads(after)):
                said, used = new_role, bool(rest)
                if said == "symptoms" or not rest:
                    kept += [block.text] if said == "symptoms" else []
                    noted += [] if said == "symptoms" else [words]
                    self.link(draft, rest) if said == "symptoms" else None
                    continue
                noted.append(words)
                block = Block("paragraph", rest, block.start, block.end)
            elif block.kind == "paragraph" and used:
                said, used = part_role, False
            else:
                used = used or said != part_role
            noted += self.one(draft, block, said, kept, first=not heading)
        if kept and heading:
            kept.insert(0, heading)
        draft.body += kept
        shown = name if not (kept and heading) or noted else ""
        if shown or noted:
            place = " ".join(filter(None, [shown, f"({' | '.join(noted)})" if noted else ""]))
            draft.sources.append(self.source(draft, place, at, max([at, *(b.end for b in blocks)])))

    def link(self, draft: Draft, text: str) -> None:
        """Link the known symptoms that a text names."""
        draft.described = True
        draft.symptoms.update(dict.fromkeys(self.symptoms(text), "often"))

    def one(self, draft: Draft, block: Block, said: str, kept: list[str], first: bool) -> list[str]:
        """Put one block; words of a table's header are returned, since its rows lose them."""
        if block.kind == "rule":
            return []
        if block.kind == "table" and block.rows:
            header = put_table(draft, block, said, self.symptoms)
            if header:
                return header
        checklist = any(item.task for item in block.items)
        if said == "symptoms":
            for item in [i.text for i in block.items] or [block.text]:
                self.link(draft, item)
        elif said == "causes" and block.kind in ("list", "paragraph") and not checklist:
            draft.causes += [i.text for i in block.items if i.text] or [block.text]
            return []
        elif said == "fixes" and put_fixes(draft, block, checklist):
            return []
        elif first and not said and not draft.summary and block.kind == "paragraph" and prose(block.text):
            draft.summary = block.text
            return []
        kept.append(block.text)
        return []

    def set_aside(self, block: Block) -> bool:
        """Whether a block is reported instead of placed: contents, comments, definitions of links."""
        why = {"comment": "an HTML comment", "definition": DEFINITION}.get(block.kind, "")
        if classify.is_contents(block):
            why = "a table of contents"
        if why:
            self.unplaced.append(Unplaced(why, block.text, block.start, block.end))
        return bool(why)

    def put_question(self, draft: Draft, line: int, asked: str, answered: str) -> None:
        """Add a question; one without an answer is kept and noted."""
        if not answered.strip():
            draft.unanswered.append((line, asked))
        draft.qa.append(QA(asked, answered.strip() or NO_ANSWER))

    def source(self, draft: Draft, what: str, start: int, end: int) -> Source:
        """Where a part of an entry stands."""
        inside = draft.path if draft.title == self.document else (*draft.path, draft.title)
        return Source(self.document, f"{' > '.join([*inside, what])}, {lines(start, end)}")

    def finish(self, draft: Draft) -> None:
        """Give an entry a summary and its first source."""
        inside = " > ".join((*draft.path, draft.title))
        draft.sources.insert(0, Source(self.document, f"{inside}, {lines(draft.start, draft.end)}"))
        if not draft.summary:
            draft.summary = gist(draft) or f"{draft.title}: from {self.document}."


def leads(block: Block | None) -> bool:
    """Whether a block can be what a label by itself announces."""
    return (
        block is not None and block.kind in ("list", "code", "table", "paragraph") and not classify.label(block.text)[0]
    )


def define(definition: str, drafts: list[Draft]) -> bool:
    """Add the definition of a link to the drafts that use it; whether there is one."""
    name = re.match(r"\s*\[(.+?)\]:", definition)
    used = re.compile(re.escape(f"[{name.group(1) if name else definition}]"), re.IGNORECASE)
    users = [d for d in drafts if any(used.search(text) for text in texts(d))]
    for draft in users:
        draft.body.append(definition)
    return bool(users)


def texts(draft: Draft) -> Iterator[str]:
    """All texts of a draft."""
    yield from (draft.title, draft.summary, *draft.causes, *draft.body)
    for fix in draft.fixes:
        yield from (fix.title, fix.why, fix.how)
    for qa in draft.qa:
        yield from (qa.question, qa.answer)


def questions(draft: Draft, blocks: list[Block], put: Callable[[Draft, int, str, str], None]) -> Iterator[Block]:
    """Take the questions with their answers out of blocks; what remains is yielded."""
    asked: tuple[int, str] | None = None
    answered: list[str] = []

    def close() -> None:
        nonlocal asked
        if asked:
            put(draft, *asked, "\n\n".join(a for a in answered if a.strip()))
        asked = None
        answered.clear()

    for block in blocks:
        listed = classify.asked_in_items(block) if block.kind == "list" else None
        if listed:
            close()
            for item, found in zip(block.items, listed, strict=True):
                if found is None:
                    yield Block("paragraph", item.text, item.start, item.end)
                else:
                    put(draft, item.start, found[0], classify.answer(found[1]) or found[1])
            continue
        if block.kind == "rule":
            close()
        pieces = classify.segments(block.text) if block.kind in ("paragraph", "quote") else [(0, block.text)]
        for offset, text in pieces:
            found = classify.question(text) if block.kind in ("paragraph", "quote") else None
            if found:
                close()
                asked = (block.start + offset, found[0])
                answered.append(classify.answer(found[1]) or found[1])
            elif asked:
                behind = classify.answer(text) if block.kind in ("paragraph", "quote") else None
                answered.append(text if behind is None else behind)
            elif len(pieces) == 1:
                yield block
            else:
                yield Block("paragraph", text, block.start + offset, block.start + offset + text.count("\n"))
    close()


def put_table(draft: Draft, block: Block, said: str, symptoms: Symptoms) -> list[str]:
    """Put the rows of a table that tells symptoms, causes, fixes or answers; its header if it was such a table."""
    header, *body = block.rows
    if not body:
        return []
    of = classify.columns(header)
    if ("question" in of and "answer" in of) or ("symptom" in of and ({"cause", "fix"} & set(of))):
        ask = of.index("question" if "question" in of else "symptom")
        for row in body:
            rest = [f"{h}: {c}" if c else "" for i, (h, c) in enumerate(zip(header, row, strict=True)) if i != ask]
            if not row[ask]:
                draft.body.append("; ".join(r for r in rest if r)) if any(rest) else None
                continue
            draft.qa.append(QA(classify.shown(row[ask]), "; ".join(r for r in rest if r) or NO_ANSWER))
        return list(header)
    fix = of.index("fix") if "fix" in of else 0 if said == "fixes" else -1
    if fix >= 0 and all(row[fix] for row in body):
        draft.fixes += [fix_of_row(header, of, row, fix) for row in body]
        return list(header)
    cause = of.index("cause") if "cause" in of else 0 if said == "causes" else -1
    if cause >= 0 and all(row[cause] for row in body):
        for row in body:
            rest = [f"{h}: {c}" for i, (h, c) in enumerate(zip(header, row, strict=True)) if i != cause and c]
            draft.causes.append("; ".join([row[cause], *rest]))
        return list(header)
    return []


def fix_of_row(header: tuple[str, ...], of: list[classify.Column], row: tuple[str, ...], fix: int) -> Fix:
    """A row of a table of fixes."""
    why = of.index("why") if "why" in of else of.index("cause") if "cause" in of else -1
    rest = [f"{h}: {c}" for i, (h, c) in enumerate(zip(header, row, strict=True)) if i not in (fix, why) and c]
    return Fix(title_of(row[fix]), (row[why] if why >= 0 else "") or NO_WHY, "; ".join(rest) or NO_HOW)


def put_fixes(draft: Draft, block: Block, checklist: bool) -> bool:
    """Put a list, paragraph or code under a heading of fixes; False if it is something else."""
    if block.kind == "list" and not checklist:
        draft.fixes += [fix_of_text(item.text) for item in block.items if item.text]
        return True
    if block.kind == "paragraph":
        draft.fixes.append(fix_of_text(block.text))
        return True
    if block.kind == "code" and draft.fixes:
        last = draft.fixes[-1]
        if not last.code and block.content.strip() and block.language.lower() in _PYTHON:
            draft.fixes[-1] = Fix(last.title, last.why, last.how, code=block.content.rstrip())
        else:
            how = block.text if last.how == NO_HOW else f"{last.how}\n\n{block.text}"
            draft.fixes[-1] = Fix(last.title, last.why, how, code=last.code)
        return True
    return False


def fix_of_text(text: str) -> Fix:
    """A fix whose title is what stands before a colon, dash or the end of the first sentence."""
    bold = re.match(r"\s*(\*\*|__)(.{2,80}?)\1\s*[:.–—-]*\s*", text)
    cut = bold or re.match(r"([^\n`\[(]{2,80}?)(?::|\s[–—-])\s+|([^\n`\[(]{2,80}?[^\d\s]\.)\s+", text)
    if cut is None or not title_of(text[: cut.end()]):
        head, _, rest = text.partition("\n")
        return Fix(head.strip(), NO_WHY, rest.strip() or NO_HOW)
    return Fix(title_of(text[: cut.end()]), NO_WHY, text[cut.end() :].strip() or NO_HOW)


def title_of(text: str) -> str:
    """A cell or lead as a title."""
    return classify.shown(text).strip(" :–—-") or text.strip()


def prose(text: str) -> bool:
    """Whether a paragraph can stand for its section: words, not a picture or a badge alone."""
    return not re.match(r"\s*(?:\[?\(Image|\[!\[|>)", text)


def gist(draft: Draft) -> str:
    """The first sentence or so of what an entry says."""
    told = [q.answer for q in draft.qa if q.answer != NO_ANSWER] + [f.title for f in draft.fixes] + draft.causes
    flat = next((p for t in told if (p := classify.plain(t.partition("```")[0].partition("\n\n")[0]))), "")
    if len(flat) <= 220:
        return flat
    end = max(flat.rfind(". ", 0, 220), flat.rfind("? ", 0, 220))
    return flat[: end + 1] if end > 40 else flat[: flat.rfind(" ", 0, 220)] + " …"


def lines(start: int, end: int) -> str:
    """ "line 4", "lines 4-9"."""
    return f"line {start}" if start == end else f"lines {start}-{end}"
