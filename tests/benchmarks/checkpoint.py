"""How fast and in how much memory a checkpoint is looked at: python tests/benchmarks/checkpoint.py [MEGABYTES]

Writes one checkpoint of that size (default 600: weights and Adam's two moments), then prints, for the pass that gathers
all numbers and for every probe after it: seconds, GB/s, and by how much the process grew. A raw read of the same file
comes first, for comparison.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from probes import statistics  # noqa: E402
from probes.describe import describe  # noqa: E402
from probes.discover import discover  # noqa: E402
from probes.registry import load, probes  # noqa: E402

WIDTH = 2048


def write(folder: Path, megabytes: int) -> Path:
    """A stack of dense layers with 200 steps' worth of Adam state, all of random numbers."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    depth = max(3, (megabytes << 20) // (3 * 4 * WIDTH * WIDTH))
    model = nn.Sequential(*(nn.Linear(WIDTH, WIDTH) for _ in range(depth)))
    optimizer = torch.optim.Adam(model.parameters())
    for p in model.parameters():
        p.grad = 1e-3 * torch.randn_like(p)
    optimizer.step()
    for state in optimizer.state.values():
        state["step"] += 199
    path = folder / "checkpoint.pt"
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": 200}, path)
    return path


def peak() -> float:
    """The largest size that this process has had, in MB."""
    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return size / (1 << 20 if sys.platform == "darwin" else 1 << 10)


def timed(name: str, size: float, work: Callable[[], object]) -> None:
    before, start = peak(), time.perf_counter()
    work()
    seconds = time.perf_counter() - start
    print(f"{name:24} {seconds:7.2f} s {size / 1e9 / seconds:8.2f} GB/s {peak() - before:+8.0f} MB", flush=True)


def raw(path: Path) -> None:
    with path.open("rb", buffering=0) as file:
        while file.readinto(bytearray(8 << 20)):
            pass


def measure(path: Path) -> None:
    """Everything that is measured."""
    size = path.stat().st_size
    timed("raw read", size, lambda: raw(path))
    timed("raw read again", size, lambda: raw(path))
    artifacts = discover([path])
    last = artifacts.last
    assert last is not None and last.optimizer is not None
    parameters = last.optimizer.parameters
    timed("describe (weights)", size / 3, lambda: describe(artifacts))
    timed("optimizer state", size * 2 / 3, lambda: [statistics.of(last).sums(p) for p in parameters])
    for probe in probes():
        if "checkpoint" in (spec := probes()[probe]).needs and spec.cost == "file":
            timed(probe, size, lambda probe=probe: load(probe)(artifacts, lambda fraction, text="": None))  # type: ignore[misc]


def main() -> None:
    """Both halves run in processes of their own: the memory of writing must not count for the reading."""
    if sys.argv[1:2] == ["--write"]:
        write(Path(sys.argv[2]), int(sys.argv[3]))
        return
    if sys.argv[1:2] == ["--measure"]:
        measure(Path(sys.argv[2]) / "checkpoint.pt")
        return
    with tempfile.TemporaryDirectory() as folder:
        size = sys.argv[1] if len(sys.argv) > 1 else "600"
        subprocess.run([sys.executable, __file__, "--write", folder, size], check=True)
        subprocess.run([sys.executable, __file__, "--measure", folder], check=True)


if __name__ == "__main__":
    main()
