"""The command line. Only the standard library is imported here and at the top of `commands`: help must be instant."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from .commands import chat, check, converse, demo, explain, inspect_files, kb, probe, search, sessions, watch

COMMANDS = {
    "chat": chat,
    "check": check,
    "watch": watch,
    "search": search,
    "explain": explain,
    "probe": probe,
    "inspect": inspect_files,
    "kb": kb,
    "demo": demo,
    "sessions": sessions,
}

DESCRIPTION = """Troubleshoots neural-network training: say what goes wrong, show the run, get a measured diagnosis.

With no command it opens the conversation, on PATH if one is given (a run folder, a checkpoint, a log)."""

EXAMPLES = """examples:
  nn-doctor runs/exp3                      talk about a run and measure on it
  nn-doctor check runs/exp3                measure everything that applies; exit 1 if a fault is confirmed
  nn-doctor search "loss is nan after a few steps"
  nn-doctor demo dead-relu                 train a small broken run and look at it"""


def parser() -> argparse.ArgumentParser:
    """The tree of commands."""
    top = argparse.ArgumentParser(
        prog="nn-doctor", description=DESCRIPTION, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    top.add_argument("--version", action="version", version=version())
    commands = top.add_subparsers(title="commands", metavar="COMMAND", dest="command")
    for name, module in COMMANDS.items():
        summary = (module.__doc__ or "").partition("\n")[0]
        sub = commands.add_parser(
            name, help=summary, description=summary, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        module.add(sub)
        sub.set_defaults(run=module.run)
    return top


def version() -> str:
    """The installed version."""
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as installed

    try:
        return f"nn-doctor {installed('nn-doctor')}"
    except PackageNotFoundError:
        return "nn-doctor (not installed)"


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; the exit code. What a person can mend is said in one sentence, with exit code 2."""
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        if words and (words[0] in COMMANDS or words[0] in ("-h", "--help", "--version")):
            args = parser().parse_args(words)
            return int(args.run(args))
        return converse.run(converse_parser().parse_args(words))
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except Exception as error:
        if not mendable(error):
            raise
        from .visible import visible_lines

        sys.stderr.write(f"nn-doctor: {visible_lines(error, 2000)}\n")
        return 2


def converse_parser() -> argparse.ArgumentParser:
    """`nn-doctor [PATH...]`, without a command."""
    top = argparse.ArgumentParser(
        prog="nn-doctor", description=DESCRIPTION, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    converse.add(top)
    return top


def mendable(error: Exception) -> bool:
    """Whether the error is one that a person can do something about: it carries its own sentence."""
    if isinstance(error, OSError):
        return True
    from knowledge.errors import KnowledgeError
    from probes.errors import Unreadable

    from .errors import Refused

    return isinstance(error, Unreadable | KnowledgeError | Refused)


if __name__ == "__main__":
    sys.exit(main())
