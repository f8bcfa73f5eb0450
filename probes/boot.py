"""Starts the worker: `PYTHON .../probes/boot.py --memory-mb N`; with `--pieces` a process that reads pieces of a large
log for it. Not imported by anything.

This package is loaded under a private name and its folder is taken off the path first, so that a person's own modules
called `probes`, `knowledge` or `assistant` load as theirs. The syntax stays old enough for any Python 3 to read it and
say what is missing.
"""

import importlib
import importlib.util
import json
import os
import sys
from pathlib import Path

PACKAGE = "_nnd_probes"


def missing() -> str:
    """What keeps this interpreter from being used, as one phrase; "" if nothing does."""
    major, minor = sys.version_info[:2]
    if (major, minor) < (3, 11):
        return f"it is Python {major}.{minor}, and 3.11 is the oldest that works"
    absent = [name for name in ("numpy", "torch") if importlib.util.find_spec(name) is None]
    return f"it has no {' and no '.join(absent)}" if absent else ""


def main() -> None:
    """Loads the package under its private name and serves requests until stdin ends."""
    here = Path(__file__).resolve().parent
    sys.path[:] = [path for path in sys.path if Path(path).resolve() != here]
    why = missing()
    if why:
        error = {"what": why, "where": sys.executable, "do": "give --python an interpreter with torch and numpy"}
        print(json.dumps({"fatal": error}))
        return
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # two of our own threads share the work; torch does not use it
    spec = importlib.util.spec_from_file_location(
        PACKAGE, str(here / "__init__.py"), submodule_search_locations=[str(here)]
    )
    assert spec is not None and spec.loader is not None
    package = importlib.util.module_from_spec(spec)
    sys.modules[PACKAGE] = package
    spec.loader.exec_module(package)
    if sys.argv[1:] == ["--pieces"]:
        importlib.import_module(PACKAGE + ".readers.logs.large.pieces").serve()
    else:
        importlib.import_module(PACKAGE + ".worker").main(sys.argv[1:])


if __name__ == "__main__":
    main()
