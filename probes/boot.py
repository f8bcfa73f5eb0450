"""Starts the worker: `PYTHON .../probes/boot.py --memory-mb N`. Not imported by anything.

This package is loaded under a private name and its folder is taken off the path first, so that a person's own modules
called `probes`, `knowledge` or `assistant` load as theirs. The syntax stays old enough for any Python 3 to read it and
say what is missing.
"""

import importlib
import importlib.util
import json
import os
import sys

PACKAGE = "_nnd_probes"


def missing():
    """What keeps this interpreter from being used, as one phrase; "" if nothing does."""
    if sys.version_info < (3, 11):
        return "it is Python %d.%d, and 3.11 is the oldest that works" % sys.version_info[:2]
    absent = [name for name in ("numpy", "torch") if importlib.util.find_spec(name) is None]
    return "it has no %s" % " and no ".join(absent) if absent else ""


def main():
    here = os.path.dirname(os.path.realpath(__file__))  # noqa: PTH120
    sys.path[:] = [path for path in sys.path if os.path.realpath(path or ".") != here]
    why = missing()
    if why:
        error = {"what": why, "where": sys.executable, "do": "give --python an interpreter with torch and numpy"}
        sys.stdout.write(json.dumps({"fatal": error}) + "\n")
        return
    spec = importlib.util.spec_from_file_location(
        PACKAGE, os.path.join(here, "__init__.py"), submodule_search_locations=[here]  # noqa: PTH118
    )
    package = importlib.util.module_from_spec(spec)
    sys.modules[PACKAGE] = package
    spec.loader.exec_module(package)
    importlib.import_module(PACKAGE + ".worker").main(sys.argv[1:])


if __name__ == "__main__":
    main()
