"""How fast and in how much memory logs are read: python tests/benchmarks/logs.py [ROWS] [MEGABYTES] [EVENTS]

Writes a CSV file of ROWS rows (default 1,000,000; the aim is 10,000,000), JSON lines and printed text of MEGABYTES
(default 100; the aim is 1000), and TensorBoard events (default 100,000). Each is read in a process of its own; for
comparison polars and TensorBoard's EventAccumulator read the same files where they are installed, and a loop that does
nothing goes over the lines. Aims: CSV within 2 times polars, text within 3 times the plain loop, events 5 times faster.
"""

from __future__ import annotations

import importlib.util
import json
import random
import resource
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from probes.readers.logs.log import read_log  # noqa: E402

PIECE = 50_000
SIZES = (1_000_000, 100, 100_000)


def write_csv(path: Path, rows: int) -> None:
    r = random.Random(0)
    with path.open("w") as file:
        file.write("step,epoch,train_loss,val_loss,lr,grad_norm\n")
        for start in range(0, rows, PIECE):
            file.writelines(
                f"{i},{i // 5000},{2 / (1 + i / 1e5) + r.random():.6f},{r.random():.6f},{1e-3 * r.random():.3e},"
                f"{r.random():.4f}\n"
                for i in range(start, min(rows, start + PIECE))
            )


def write_lines(path: Path, megabytes: int, form: Callable[[int, random.Random], str]) -> None:
    r, step = random.Random(0), 0
    with path.open("w") as file:
        while file.tell() < megabytes * 1_000_000:
            file.writelines(form(i, r) for i in range(step, step + PIECE))
            step += PIECE


def json_line(i: int, r: random.Random) -> str:
    record = {"step": i, "epoch": i // 5000, "loss": round(2 / (1 + i / 1e5) + r.random(), 6), "lr": 1e-3 * r.random()}
    return json.dumps(record | {"grad_norm": round(r.random(), 4)}) + "\n"


def printed_line(i: int, r: random.Random) -> str:
    loss = 2 / (1 + i / 1e5) + r.random()
    return (
        f"2024-05-01 {i // 3600 % 24:02d}:{i // 60 % 60:02d}:{i % 60:02d} - INFO - step: {i} loss: {loss:.6f} "
        f"grad_norm: {r.random():.4f} lr: {r.random() / 1000:.3e}\n"
    )


def write_events(path: Path, count: int) -> None:
    """Events as TensorBoard's writer makes them; without checksums where it is not installed."""
    try:
        from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import masked_crc32c
    except ImportError:
        masked_crc32c = None

    def sealed(data: bytes) -> bytes:
        return data + struct.pack("<I", masked_crc32c(data) if masked_crc32c else 0)

    with path.open("wb") as file:
        for i in range(-1, count):
            tag = b"train/loss" if i % 2 else b"lr"
            value = bytes([0x0A, len(tag)]) + tag + b"\x15" + struct.pack("<f", 1 / (i + 2))
            summary = bytes([0x0A, len(value)]) + value
            event = b"\x10" + _varint(i) + bytes([0x2A, len(summary)]) + summary if i >= 0 else b"\x1a\x0dbrain.Event:2"
            event = b"\x09" + struct.pack("<d", 1e9 + i) + event
            file.write(sealed(struct.pack("<Q", len(event))) + sealed(event))


def _varint(value: int) -> bytes:
    return bytes([value & 127 | 128]) + _varint(value >> 7) if value > 127 else bytes([value])


def ours(path: Path) -> str:
    log = read_log(path)
    return f"{len(log.series)} curves, {max(len(s.y) for s in log.series):,} points {' '.join(log.warnings)[:80]}"


def plain_loop(path: Path) -> str:
    count = 0
    with path.open(encoding="utf-8") as file:
        for _ in file:
            count += 1
    return f"{count:,} lines"


def by_polars(path: Path) -> str:
    import polars

    return f"{polars.read_csv(path).shape}"


def by_tensorboard(path: Path) -> str:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = EventAccumulator(str(path), size_guidance={"scalars": 0}).Reload()
    return f"{sum(len(found.Scalars(tag)) for tag in found.Tags()['scalars']):,} points"


READERS = {"ours": ours, "plain loop": plain_loop, "polars": by_polars, "tensorboard": by_tensorboard}


def measure(reader: str, path: Path) -> None:
    """One reading, in this process: seconds, growth in MB, what was found."""
    sys.setswitchinterval(5e-4)  # as the worker does
    if reader in ("polars", "tensorboard"):
        importlib.import_module(reader)
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
    what = READERS[reader](path)
    seconds = time.perf_counter() - start
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / (
        1 << (20 if sys.platform == "darwin" else 10)
    )
    print(json.dumps([seconds, grown, what]))


def compare(name: str, path: Path, other: str, aim: str) -> None:
    """Our reader against another, best of three readings each."""
    size = path.stat().st_size / 1e6
    best = {}
    for reader in ("ours", other):
        if reader in ("polars", "tensorboard") and importlib.util.find_spec(reader) is None:
            print(f"{name:12} {reader:12} is not installed: no comparison", flush=True)
            continue
        command = [sys.executable, "-W", "ignore", __file__, "--measure", reader, str(path)]
        runs = [json.loads(subprocess.run(command, check=True, capture_output=True).stdout) for _ in range(3)]
        best[reader] = min(runs)
        seconds, grown, what = best[reader]
        print(f"{name:12} {reader:12} {seconds:8.2f} s {size / seconds:8.0f} MB/s {grown:+8.0f} MB  {what}", flush=True)
    if other in best:
        print(f"{name:12} {best['ours'][0] / best[other][0]:.2f} times the time of {other} (aim: {aim})", flush=True)


def main() -> None:
    if sys.argv[1:2] == ["--measure"]:
        measure(sys.argv[2], Path(sys.argv[3]))
        return
    given = [int(word) for word in sys.argv[1:4]]
    rows, megabytes, events = [*given, *SIZES[len(given) :]]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_csv(folder / "log.csv", rows)
        compare("CSV", folder / "log.csv", "polars", "at most 2")
        (folder / "log.csv").unlink()
        for kind, form in (("JSON lines", json_line), ("printed", printed_line)):
            write_lines(folder / "log.txt", megabytes, form)
            compare(kind, folder / "log.txt", "plain loop", "at most 3")
        (folder / "log.txt").unlink()
        write_events(folder / "events.tfevents", events)
        compare("TensorBoard", folder / "events.tfevents", "tensorboard", "at most 0.2")


if __name__ == "__main__":
    main()
