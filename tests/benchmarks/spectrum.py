"""The spectrum probe beside WeightWatcher on the same nets: python tests/benchmarks/spectrum.py [FILE ...]

Needs `pip install weightwatcher` in some environment of its own; without it, says so and stops. Prints, per net (or per
checkpoint that is named: its matrices and convolutions are put into a bare net), seconds of both in this one process,
their ratio, and the largest relative difference of alpha over the layers where both fit one. WeightWatcher gets
the net in memory; our seconds include reading the numbers from the file. NumPy's own threads are off for both: on busy
cores they cost both of them more than they bring.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import logging
import os
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as in our worker; for both, since they share this process

import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import itertools

from probes.checks.spectrum import look
from probes.discover import discover
from probes.saved.layers import depth

torch.set_num_threads(1)
TIMES = 3
T = TypeVar("T")


def convolutions() -> nn.Module:
    sizes = [(3, 16), *[(16, 16)] * 6, (16, 32), *[(32, 32)] * 5, (32, 64), *[(64, 64)] * 5]
    return nn.Sequential(*(nn.Conv2d(a, b, 3) for a, b in sizes), nn.Linear(64, 10))


def dense(*sizes: int) -> nn.Module:
    return nn.Sequential(*(nn.Linear(a, b) for a, b in itertools.pairwise(sizes)))


def transformer(width: int, blocks: int) -> nn.Module:
    shapes = [(width, 3 * width), (width, width), (width, 4 * width), (4 * width, width)]
    return nn.Sequential(*(nn.Linear(a, b) for _ in range(blocks) for a, b in shapes))


def heavy_tailed(model: nn.Module) -> nn.Module:
    """Rows of very different sizes, so that there is a tail to fit."""
    torch.manual_seed(0)
    for p in model.parameters():
        if p.ndim > 1:
            p.data *= torch.exp(torch.randn(p.shape[0], *[1] * (p.ndim - 1)))
    return model


def bare(path: Path) -> nn.Module:
    """The dense and two-dimensional convolutional weights of a checkpoint as a net that cannot be run."""
    last = discover([path]).last
    made: list[nn.Module] = []
    for layer in depth(last) if last else ():
        values = torch.from_numpy(layer.weight.array().copy()).float()
        if values.ndim == 2:
            made.append(nn.Linear(values.shape[1], values.shape[0], bias=False))
        elif values.ndim == 4:
            made.append(nn.Conv2d(values.shape[1], values.shape[0], tuple(values.shape[2:]), bias=False))
        else:
            continue
        made[-1].weight.data = values
    return nn.Sequential(*made)


def best(work: Callable[[], T]) -> tuple[float, T]:
    """The shortest of some times in seconds (the first pays for memory that nobody has touched), and the result."""
    times, found = [], None
    for _ in range(TIMES):
        start = time.perf_counter()
        found = work()
        times.append(time.perf_counter() - start)
    assert found is not None
    return min(times), found


def compare(name: str, model: nn.Module, watcher: Any) -> tuple[float, float]:
    """Prints one line; returns both times."""
    with tempfile.TemporaryDirectory() as folder:
        torch.save(model.state_dict(), Path(folder) / "weights.pt")
        with contextlib.redirect_stdout(io.StringIO()):
            theirs, table = best(lambda: watcher(model=model).analyze())
        last = discover([Path(folder)]).last
        ours, seen = best(lambda: look(depth(last) if last else (), lambda fraction, text="": None, budget=1e15))
    alphas = {str(row.name): float(row.alpha) for row in table.itertuples()}
    apart = [
        abs(s.found.tail.alpha / alphas[s.layer.name] - 1)
        for s in seen
        if s.found and s.found.tail and alphas.get(s.layer.name, -1) > 0
    ]
    worst = f"{max(apart):.1e}" if apart else "-"
    print(f"{name[:40]:40} {theirs:8.3f} s {ours:8.3f} s {theirs / ours:6.1f} x   alpha apart {worst} ({len(apart)})")
    return theirs, ours


def main(paths: list[Path]) -> None:
    """All nets, and the files that are named."""
    if importlib.util.find_spec("weightwatcher") is None:
        print("weightwatcher is not installed here: nothing to compare with")
        return
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    from weightwatcher import WeightWatcher  # type: ignore[import-not-found,unused-ignore]

    nets: dict[str, nn.Module] = {
        "dense 64-64 (to warm up)": dense(64, 64),
        "ResNet-20 shapes": convolutions(),
        "dense 784-512-256-128-10": dense(784, 512, 256, 128, 10),
        "transformer 128 x 6": transformer(128, 6),
        "transformer 384 x 2": transformer(384, 2),
        "transformer 768 x 1": transformer(768, 1),
    }
    nets = {name: heavy_tailed(model) for name, model in nets.items()} | {p.name: bare(p) for p in paths}
    times = [compare(name, model, WeightWatcher) for name, model in nets.items()][1:]
    theirs, ours = (sum(t) for t in zip(*times, strict=True))
    print(f"{'all but the first':40} {theirs:8.3f} s {ours:8.3f} s {theirs / ours:6.1f} x")


if __name__ == "__main__":
    main([Path(p) for p in sys.argv[1:]])
