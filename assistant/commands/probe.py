"""list the probes, show one, or run one by itself"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from .common import add_files, worker

if TYPE_CHECKING:
    from probes.registry import ProbeSpec


def add(parser: argparse.ArgumentParser) -> None:
    """Options."""
    sub = parser.add_subparsers(metavar="list|show|run", required=True, dest="what")
    listing = sub.add_parser("list", help="all probes, a line each")
    listing.set_defaults(do=run_list)
    show = sub.add_parser("show", help="what a probe measures, its formula, thresholds, and what it cannot tell")
    show.set_defaults(do=run_show)
    one = sub.add_parser("run", help="run one probe on files")
    one.set_defaults(do=run_one)
    for each in (show, one):
        each.add_argument("id", metavar="ID")
    add_files(one, "+")
    for each in (listing, show, one):
        each.add_argument("--format", choices=("text", "json"), default="text")


def run(args: argparse.Namespace) -> int:
    """Exit code of the part."""
    return int(args.do(args))


def run_list(args: argparse.Namespace) -> int:
    """A line a probe."""
    import json

    from probes.registry import probes

    from ..faces.json_report import probe_json

    if args.format == "json":
        print(json.dumps([probe_json(s) for s in probes().values()]))
        return 0
    for spec in probes().values():
        print(f"{spec.id:20} {spec.title}   (needs {' or '.join(spec.needs)}; speaks to {', '.join(spec.speaks_to)})")
    return 0


def run_show(args: argparse.Namespace) -> int:
    """The probe's own documentation."""
    import json

    from ..faces.json_report import probe_json

    spec = named(args.id)
    if args.format == "json":
        print(json.dumps({**probe_json(spec), "doc": spec.doc}))
    else:
        print(
            f"{spec.id}: {spec.doc.strip()}\n\nneeds: {' or '.join(spec.needs)}\nspeaks to: {', '.join(spec.speaks_to)}"
        )
    return 0


def run_one(args: argparse.Namespace) -> int:
    """Exit code 0: nothing confirmed, 1: something confirmed, 2: could not check."""
    import json

    from .. import say
    from ..faces.json_report import finding_json
    from ..faces.plain import render
    from .common import knowledge_base

    spec = named(args.id)
    with worker(args) as process:
        process.open(tuple(args.paths), args.target)
        found = process.run(spec.id)
    if args.format == "json":
        print(json.dumps(finding_json(found)))
    else:
        print(render(say.finding(knowledge_base(args), found)).lstrip("\n"))
    if found.status != "done":
        return 2
    return int(any(v.verdict == "confirmed" for v in found.verdicts))


def named(id: str) -> ProbeSpec:
    """The probe of that id. Raises Unreadable."""
    from probes.errors import Unreadable
    from probes.registry import probes

    if id not in probes():
        raise Unreadable("there is no probe of that id", id, f"there are: {', '.join(probes())}")
    return probes()[id]
