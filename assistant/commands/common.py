"""Options and set-up that several commands share."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from knowledge.load import KnowledgeBase
    from probes.client import Worker

    from ..consult import Consult
    from ..store import SessionFile


def add_files(parser: argparse.ArgumentParser, nargs: str) -> None:
    """PATH..., --target, --python and --kb."""
    parser.add_argument("paths", nargs=nargs, metavar="PATH", help="run folder, checkpoint or log")
    parser.add_argument(
        "--target",
        metavar="FILE.py",
        help="your code, to be run: build_model(), load_batch() -> (inputs, targets), loss_fn(outputs, targets)",
    )
    parser.add_argument(
        "--map",
        metavar="NAME=COLUMN",
        action="append",
        default=[],
        help="what a column of a log is: val/loss=eval_nll, step=iter_no (inspect shows what was understood)",
    )
    add_worker(parser)


def add_worker(parser: argparse.ArgumentParser) -> None:
    """--python, --trust and --kb."""
    parser.add_argument(
        "--python", metavar="PYTHON", help="interpreter to measure with (the one that your model needs)"
    )
    trust = "unpickle torch files whole, running the code that they name: only for files that you made yourself"
    parser.add_argument("--trust", action="store_true", help=trust)
    add_kb(parser)


def add_kb(parser: argparse.ArgumentParser) -> None:
    """--kb."""
    parser.add_argument(
        "--kb", metavar="DIR", action="append", default=[], help="your own entries, beside the built-in ones"
    )


def knowledge_base(args: argparse.Namespace) -> KnowledgeBase:
    """The built-in knowledge base with the overlays: the user's own folder, then --kb. Raises KnowledgeError."""
    from knowledge.load import load

    from ..places import config_folder

    own = config_folder() / "kb"
    return load([*([own] if own.is_dir() else []), *map(Path, args.kb)])


def worker(args: argparse.Namespace) -> Worker:
    """The worker process, not started yet; it tells a terminal how far long work is."""
    from probes.client import Worker
    from probes.renaming import parse

    from ..progress import on_terminal

    names = parse(getattr(args, "map", []))
    return Worker(python=args.python, trust=args.trust, names=names, on_progress=on_terminal())


def consult(args: argparse.Namespace, process: Worker, file: SessionFile | None = None) -> Consult:
    """A consultation with nothing said yet."""
    from knowledge.search import Index

    from ..consult import Consult

    base = knowledge_base(args)
    return Consult(base, Index(base), process, file)


def write(text: str, out: str | None) -> None:
    """To a file if one is named, else to standard output."""
    if out:
        Path(out).write_text(text, encoding="utf-8")
    else:
        print(text, end="" if text.endswith("\n") else "\n")
