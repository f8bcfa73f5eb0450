"""How fast and in how much memory a file is looked at: python tests/benchmarks/checkpoint.py [GIGABYTES] [KIND ...]

Writes a checkpoint of that size (default 1) of each kind: weights in float32, bfloat16, float16 and float8_e4m3fn, and
"adam" (float32 weights with Adam's two moments). Then, each in a process of its own and all on the same warm file:
reading the bytes (8 MB at a time); our one pass over all numbers, with one thread and with two; every probe that needs
nothing but the file; torch.load with a plain loop of statistics; and WeightWatcher, if it is installed. Prints seconds,
GB/s, times the raw reading (the best of three taken beside each) and the largest size of the process.
"""

from __future__ import annotations

import importlib.util
import mmap
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as the worker does
sys.setswitchinterval(5e-4)

WIDTH = 2048
KINDS = ("float32", "bfloat16", "float16", "float8_e4m3fn", "adam")
WAYS = ("ours, 1 thread", "ours, 2 threads", "all probes", "torch.load + loop", "WeightWatcher")


def write(path: Path, gigabytes: float, kind: str) -> None:
    """Dense layers of random numbers; with `adam` also 200 steps' worth of its state. They are made in the file itself:
    one that is larger than half the memory could not stay in the system's cache beside them."""
    import torch
    from torch import serialization

    torch.manual_seed(0)
    dtype = torch.float32 if kind == "adam" else getattr(torch, kind)
    depth = max(1, int(gigabytes * 1e9) // ((3 if kind == "adam" else 1) * WIDTH * WIDTH * dtype.itemsize))

    def blank() -> torch.Tensor:
        return torch.empty(WIDTH, WIDTH, dtype=dtype)

    saved: dict = {f"{i}.weight": blank() for i in range(depth)}
    if kind == "adam":
        state = {i: {"step": torch.empty(()), "exp_avg": blank(), "exp_avg_sq": blank()} for i in range(depth)}
        group = {"lr": 1e-3, "betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0, "amsgrad": False}
        optimizer = {"state": state, "param_groups": [group | {"params": list(range(depth))}]}
        saved = {"model": saved, "optimizer": optimizer, "step": 200}
    with serialization.skip_data():
        torch.save(saved, path)
    del saved
    with serialization.set_default_mmap_options(mmap.MAP_SHARED):
        mapped = torch.load(path, mmap=True, weights_only=True)
    for weight in mapped.get("model", mapped).values():
        weight.copy_(0.02 * torch.randn(WIDTH, WIDTH))
    for moments in mapped["optimizer"]["state"].values() if kind == "adam" else ():
        moments["step"].fill_(200)
        moments["exp_avg"].normal_(0, 1e-4)
        moments["exp_avg_sq"].uniform_(0, 1e-7)


def peak() -> float:
    """The largest size that this process has had, in MB."""
    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return size / (1 << 20 if sys.platform == "darwin" else 1 << 10)


def raw(path: Path) -> None:
    """Reads all bytes into one buffer."""
    buffer = memoryview(bytearray(8 << 20))
    with path.open("rb", buffering=0) as file:
        while file.readinto(buffer):
            pass


def best(work: Callable[[], object], times: int) -> float:
    """Seconds of the quickest of several runs."""
    found = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        found.append(time.perf_counter() - start)
    return min(found)


def ours(path: Path, threads: int, everything: bool = False) -> None:
    """What opening a file in the worker does; with `everything` the probes after it as well."""
    from probes.describe import describe
    from probes.discover import discover
    from probes.registry import load, probes
    from probes.saved import reading, statistics

    reading.THREADS = threads
    statistics.forget()
    artifacts = discover([path])
    describe(artifacts)
    for name, probe in probes().items() if everything else ():
        if probe.cost == "file":
            load(name)(artifacts, lambda fraction, text="": None)


def plain(path: Path) -> None:
    """The loop that one writes by hand."""
    import torch

    torch.set_num_threads(1)
    left = [torch.load(path, weights_only=True, mmap=True)]
    for node in left:
        if isinstance(node, dict):
            left.extend(node.values())
        elif isinstance(node, torch.Tensor) and node.is_floating_point() and node.numel() > 1:
            node = node.float() if node.itemsize == 1 else node  # torch cannot add up bytes
            _ = node.mean(), node.var(), node.min(), node.max(), node.isfinite().all()


def weight_watcher(path: Path) -> None:
    """Its analysis of the same matrices, as a model of dense layers."""
    import torch
    import weightwatcher

    weights = torch.load(path, weights_only=True)
    weights = weights.get("model", weights)
    model = torch.nn.Sequential(*(torch.nn.Linear(WIDTH, WIDTH, bias=False) for _ in weights))
    model.load_state_dict(weights)
    weightwatcher.WeightWatcher(model=model.float()).analyze()


def measure(path: Path, way: str) -> None:
    """One line of the table."""
    size, name = path.stat().st_size, f"{path.stem:9} {way:18}"
    if way == "WeightWatcher" and importlib.util.find_spec("weightwatcher") is None:
        print(f"{name} not installed")
        return
    work: dict[str, Callable[[], None]] = {
        "ours, 1 thread": lambda: ours(path, 1),
        "ours, 2 threads": lambda: ours(path, 2),
        "all probes": lambda: ours(path, 2, everything=True),
        "torch.load + loop": lambda: plain(path),
        "WeightWatcher": lambda: weight_watcher(path),
    }
    reading = best(lambda: raw(path), 3)
    seconds = best(work[way], 3 if way.startswith("ours") else 1)
    reading = min(reading, best(lambda: raw(path), 3))
    print(
        f"{name} {seconds:8.2f} s {size / 1e9 / seconds:7.2f} GB/s {seconds / reading:7.2f} x raw "
        f"({size / 1e9 / reading:.1f} GB/s) {peak():7.0f} MB",
        flush=True,
    )


def main() -> None:
    """Every half in a process of its own: the memory of one must not count for another."""
    if sys.argv[1:2] == ["--write"]:
        write(Path(sys.argv[2]), float(sys.argv[3]), sys.argv[4])
        return
    if sys.argv[1:2] == ["--measure"]:
        measure(Path(sys.argv[2]), sys.argv[3])
        return
    size = sys.argv[1] if len(sys.argv) > 1 else "1"
    with tempfile.TemporaryDirectory() as folder:
        for kind in sys.argv[2:] or KINDS:
            path = Path(folder) / f"{kind}.pt"
            subprocess.run([sys.executable, __file__, "--write", str(path), size, kind], check=True)
            raw(path)  # warms the cache
            for way in WAYS:
                subprocess.run([sys.executable, __file__, "--measure", str(path), way], check=True)
            path.unlink()


if __name__ == "__main__":
    main()
