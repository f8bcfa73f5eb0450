"""the knowledge base: list its entries, check a directory of entries, import FAQ documents"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from .common import add_kb, knowledge_base

if TYPE_CHECKING:
    from knowledge.importer.drafts import Change
    from knowledge.importer.make import Import
    from knowledge.search import Index


def add(parser: argparse.ArgumentParser) -> None:
    """Options."""
    sub = parser.add_subparsers(metavar="list|validate|import", required=True, dest="what")
    listing = sub.add_parser("list", help="all entries, a line each")
    listing.set_defaults(do=run_list)
    add_kb(listing)
    validate = sub.add_parser("validate", help="check a directory of entries (default: the built-in ones)")
    validate.add_argument("folder", nargs="?", metavar="DIR")
    validate.set_defaults(do=run_validate)
    importing = sub.add_parser("import", help="turn FAQ documents in Markdown into draft entries")
    importing.add_argument("files", nargs="+", metavar="FILE.md")
    importing.add_argument("-o", dest="folder", required=True, metavar="DIR", help="where the drafts go")
    importing.add_argument("--force", action="store_true", help="overwrite drafts that were edited")
    importing.add_argument("--strict", action="store_true", help="exit 1 if an edited draft was kept")
    importing.set_defaults(do=run_import)


def run(args: argparse.Namespace) -> int:
    """Exit code of the part."""
    return int(args.do(args))


def run_list(args: argparse.Namespace) -> int:
    """A line an entry."""
    from ..visible import visible

    for entry in knowledge_base(args).entries.values():
        print(f"{visible(entry.id):28} {entry.kind:10} {visible(entry.title)}")
    return 0


def run_validate(args: argparse.Namespace) -> int:
    """Exit code 0: fine; 2: problems, each with file, line and field."""
    from pathlib import Path

    from knowledge.load import load

    base = load([Path(args.folder)] if args.folder else [])
    print(f"fine: {len(base.entries)} entries and {len(base.symptoms)} symptoms, the built-in ones counted in")
    return 0


def run_import(args: argparse.Namespace) -> int:
    """Exit code 0: done; 1: with --strict, an edited draft was kept; 2: a document cannot be read."""
    from pathlib import Path

    from knowledge.errors import KnowledgeError
    from knowledge.importer.make import plan
    from knowledge.load import load
    from knowledge.search import Index

    from ..visible import visible_lines

    base = load()
    index, taken = Index(base), set(base.entries)
    kept = unread = 0
    for name in args.files:
        try:
            imported = plan(Path(name), Path(args.folder), index, taken)
        except KnowledgeError as error:
            print(f"nn-doctor: {visible_lines(error, 2000)}", file=sys.stderr)
            unread += 1
            continue
        kept += import_one(imported, index, args.force)
        taken |= {change.draft.id for change in imported.changes}
    return 2 if unread else int(bool(args.strict and kept))


def import_one(imported: Import, index: Index, force: bool) -> int:
    """Write the drafts of one document and say what was made of it; how many edited drafts were kept."""
    from knowledge.importer.gather import lines

    from ..visible import visible

    print(f"{visible(imported.document.name)}: {counted(len(imported.changes), 'draft')}")
    if imported.document.front:
        print(f"  front matter, kept in each draft: {visible('; '.join(imported.document.front), 300)}")
    kept = 0
    for change in imported.changes:
        done = carry_out(change, imported, force)
        kept += done.startswith("kept")
        print(f"  {described(change, index)}  [{done}]")
    for change in imported.changes:
        for line, question in change.draft.unanswered:
            print(f"  no answer: line {line}, in {change.draft.id}: {visible(question)}")
    for piece in imported.unplaced:
        print(
            f"  not placed, {lines(piece.start, piece.end)}: {piece.why}: {visible(' '.join(piece.text.split()), 100)}"
        )
    for path in imported.gone:
        print(f"  no longer in the document, left as it is: {visible(path.name)}")
    return kept


def described(change: Change, index: Index) -> str:
    """A draft on one line: id, kind, lines, what it holds, which built-in entries it resembles."""
    from knowledge.importer.gather import lines

    from ..visible import visible

    draft = change.draft
    holds = [
        counted(n, word)
        for n, word in (
            (len(draft.qa), "question"),
            (len(draft.symptoms), "known symptom"),
            (len(draft.causes), "cause"),
            (len(draft.fixes), "fix"),
        )
        if n
    ]
    hits = index.search(draft.title, 3) + index.search(f"{draft.title}. {draft.summary}"[:600], 3)
    like = list(dict.fromkeys(hit.id for hit in hits))[:3]
    parts = [visible(draft.id), draft.kind, lines(draft.start, draft.end), ", ".join(holds)]
    return "  ".join(p for p in parts if p) + (f"  resembles {', '.join(like)}" if like else "")


def carry_out(change: Change, imported: Import, force: bool) -> str:
    """Write a draft, or keep what a person made of it; what was done."""
    from knowledge.importer.drafts import beside, write

    choice = "overwrite"
    if change.status == "same":
        return "unchanged"
    if change.status in ("edited", "conflict") and not force:
        choice = ask(change) if change.status == "conflict" else "keep"
    if choice == "beside":
        return f"kept your edit; the new draft is {beside(change, imported.document).name}"
    if choice == "keep":
        return "kept your edit" + ("; the document has changed since" if change.status == "conflict" else "")
    write(change)
    return {"new": "written", "updated": "updated"}.get(change.status, "overwritten")


def ask(change: Change) -> str:
    """What to do with an edited draft whose document has changed: "keep" where nobody can be asked."""
    from ..visible import visible

    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return "keep"
    answers = {"o": "overwrite", "k": "keep", "b": "beside", "": "keep"}
    while True:
        try:
            said = input(f"  {visible(change.path.name)} was edited. [o]verwrite, [k]eep (default), write [b]eside? ")
        except EOFError:
            return "keep"
        if said.strip().lower()[:1] in answers:
            return answers[said.strip().lower()[:1]]


def counted(n: int, word: str) -> str:
    """ "1 fix", "3 fixes"."""
    return f"{n} {word}{'' if n == 1 else 'es' if word.endswith('x') else 's'}"
