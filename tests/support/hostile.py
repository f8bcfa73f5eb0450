"""Files made to hurt whoever opens them: how one is named, written, and looked at in a process of its own."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SECONDS = 5
"""Of processor time, a file."""
MEGABYTES = 1024

LOOK = """
import json, os, resource, signal, sys, time
from pathlib import Path
os.environ["OPENBLAS_NUM_THREADS"] = "1"  # as the worker does
from probes.describe import describe
from probes.discover import discover

def look(path):
    resource.setrlimit(resource.RLIMIT_DATA, (2 << 30, 2 << 30))
    signal.alarm(60)
    try:
        seen = describe(discover([Path(path)]))
        return {"entries": seen["artifacts"], "warnings": seen["warnings"]}
    except BaseException as error:
        return {"raised": f"{type(error).__name__}: {error}"[:300]}

for path in sys.argv[1:]:
    into, out = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(into)
        with os.fdopen(out, "w") as file:
            json.dump(look(path), file)
        os._exit(0)
    os.close(out)
    with os.fdopen(into) as file:
        text = file.read()
    _, status, used = os.wait4(child, 0)
    found = json.loads(text) if text else {"raised": f"died with status {status}"}
    rss = used.ru_maxrss >> (20 if sys.platform == "darwin" else 10)
    print(json.dumps({**found, "seconds": used.ru_utime + used.ru_stime, "megabytes": rss}))
"""


@dataclass(frozen=True)
class Seen:
    """What came out of one file."""

    entries: list[dict[str, Any]]
    seconds: float
    megabytes: int
    raised: str

    @property
    def sentences(self) -> list[str]:
        return [w for entry in self.entries for w in entry["warnings"]]


Make = Callable[[Path], Path]


@dataclass(frozen=True)
class Attack:
    """What writes the file into a folder, and what is to come of it: "left_out" (its sound tensors are read, and the
    others named), "refused", "walked" (it is read, odd as it is); "" where either will do."""

    make: Make
    outcome: str


ATTACKS: dict[str, Attack] = {}


def attack(outcome: str = "") -> Callable[[Make], Make]:
    """Adds a file to `ATTACKS` under the name of its function."""

    def named(make: Make) -> Make:
        ATTACKS[make.__name__] = Attack(make, outcome)
        return make

    return named


def looked_at(files: Iterable[Path]) -> list[Seen]:
    """What comes out of each file."""
    command = [sys.executable, "-c", LOOK, *map(str, files)]
    root = Path(__file__).parents[2]
    ran = subprocess.run(command, capture_output=True, text=True, cwd=root, timeout=600, check=True)
    lines = [json.loads(line) for line in ran.stdout.splitlines()]
    return [Seen(line.get("entries", []), line["seconds"], line["megabytes"], line.get("raised", "")) for line in lines]


def torch_zip(path: Path, pkl: bytes, storage: bytes = b"\0" * 16, packed: bool = False) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED) as archive:
        archive.writestr("archive/data.pkl", pkl)
        archive.writestr("archive/data/0", storage)
        archive.writestr("archive/version", b"3\n")
    return path


def text(value: str) -> bytes:
    raw = value.encode()
    return b"X" + struct.pack("<I", len(raw)) + raw


def number(value: int) -> bytes:
    raw = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
    return b"\x8a" + bytes([len(raw)]) + raw


def tensor(shape: list[int], strides: list[int], offset: int = 0, numel: int = 4, key: str = "0") -> bytes:
    storage = b"(" + text("storage") + b"ctorch\nFloatStorage\n" + text(key) + text("cpu") + number(numel) + b"tQ"
    sizes, steps = (b"(" + b"".join(map(number, v)) + b"t" for v in (shape, strides))
    return b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + number(offset) + sizes + steps + b"\x89}tR"


GOOD = tensor([2, 2], [2, 1])


def model(bad: bytes = b"", good: bytes = GOOD) -> bytes:
    """A pickle of {"good.weight": a sound tensor, "bad.weight": `bad`}."""
    items = text("good.weight") + good + (text("bad.weight") + bad if bad else b"")
    return b"\x80\x02}(" + items + b"u."


def beside(value: bytes) -> bytes:
    """A pickle of {"state_dict": {"good.weight": ...}, "other": value}."""
    return b"\x80\x02}(" + text("state_dict") + model()[2:-1] + text("other") + value + b"u."
