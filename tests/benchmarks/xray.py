"""How well the file-only checks do on small nets of several kinds: python tests/benchmarks/xray.py

Trains healthy nets and nets with units killed in the middle, and prints, per kind of net and optimizer: the
correlation of log gradient RMS from the state with hooks, recall and false alarms of dead units against the ReLU
outputs on the whole training set, and every accusation of a healthy run. Takes a minute or two.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import nn

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "support")]

from trained import Trained, training  # noqa: E402

from probes import statistics  # noqa: E402
from probes.registry import load, probes  # noqa: E402
from probes.starved import starved  # noqa: E402

CHECKS = [load(name) for name, probe in probes().items() if probe.cost == "file"]
STEPS = 500


class Convolutions(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.c1, self.b1 = nn.Conv2d(1, 12, 3, padding=1), nn.BatchNorm2d(12)
        self.c2, self.b2 = nn.Conv2d(12, 16, 3, padding=1), nn.BatchNorm2d(16)
        self.head = nn.Linear(16, 4)
        self.r1, self.r2 = nn.ReLU(), nn.ReLU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.r1(self.b1(self.c1(x.view(-1, 1, 8, 8))))
        return self.head(self.r2(self.b2(self.c2(x))).mean((2, 3)))


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inputs = nn.Linear(8, 32)
        self.block1 = nn.TransformerEncoderLayer(32, 4, 64, dropout=0.0, batch_first=True, norm_first=True)
        self.block2 = nn.TransformerEncoderLayer(32, 4, 64, dropout=0.0, batch_first=True, norm_first=True)
        self.head = nn.Linear(32, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.block2(self.block1(self.inputs(x.view(-1, 8, 8)))).mean(1))


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.LSTM(8, 32, batch_first=True)
        self.fc, self.r = nn.Linear(32, 32), nn.ReLU()
        self.head = nn.Linear(32, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.r(self.fc(self.rnn(x.view(-1, 8, 8))[0][:, -1])))


def dense() -> nn.Module:
    return nn.Sequential(
        nn.Linear(64, 96), nn.ReLU(), nn.Linear(96, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 4)
    )


NETS: dict[str, Callable[[], nn.Module]] = {
    "mlp": dense,
    "cnn+bn": Convolutions,
    "transformer": Attention,
    "lstm": Recurrent,
}
OPTIMIZERS: dict[str, Callable[[nn.Module], torch.optim.Optimizer]] = {
    "adam": lambda m: torch.optim.Adam(m.parameters(), lr=2e-3),
    "adamw": lambda m: torch.optim.AdamW(m.parameters(), lr=2e-3, weight_decay=0.05),
    "momentum": lambda m: torch.optim.SGD(m.parameters(), lr=0.02, momentum=0.9),
    "adam+l2": lambda m: torch.optim.Adam(m.parameters(), lr=2e-3, weight_decay=1e-3),
}
KILLED = {"mlp": "2.bias", "cnn+bn": "b2.bias", "transformer": "block1.linear1.bias", "lstm": "fc.bias"}


def pictures(n: int = 1500) -> tuple[torch.Tensor, torch.Tensor]:
    """Four kinds of 8 x 8 pictures in noise."""
    generator = torch.Generator().manual_seed(0)
    shapes = torch.randn(4, 64, generator=generator)
    y = torch.randint(0, 4, (n,), generator=generator)
    return 0.7 * shapes[y] + torch.randn(n, 64, generator=generator), y


def kill(kind: str, at: int) -> Callable[[int, nn.Module], None]:
    def now(step: int, model: nn.Module) -> None:
        if step == at:
            bias = dict(model.named_parameters())[KILLED[kind]]
            with torch.no_grad():
                bias[: int(0.6 * len(bias))] = -30.0

    return now


def silent(run: Trained, layer: str) -> np.ndarray:
    """Which units of a layer fire on no sample: from the pre-activations of the module that feeds the ReLU."""
    feeds = {"c1": "b1", "c2": "b2"}.get(layer, layer)
    kept: list[torch.Tensor] = []
    module = dict(run.model.named_modules())[feeds]
    hook = module.register_forward_hook(lambda m, i, o: kept.append(o.detach()))
    torch.backends.mha.set_fastpath_enabled(False)
    with torch.no_grad():
        run.model.eval()(run.x)
    hook.remove()
    axis = 1 if feeds.startswith("b") and feeds[1:].isdigit() else -1
    return (kept[0].movedim(axis, 0).flatten(1) <= 0).all(1).numpy()


def main() -> None:
    relus = {
        "mlp": ("0", "2", "4"),
        "cnn+bn": ("c1", "c2"),
        "transformer": ("block1.linear1", "block2.linear1"),
        "lstm": ("fc",),
    }
    print(f"{'net':12} {'optimizer':10} {'fault':8} {'r(grad)':>8} {'dead':>5} {'found':>6} {'diff':>5}  accusations")
    for kind, build in NETS.items():
        for name, make in OPTIMIZERS.items():
            for fault in ("none", "killed"):
                torch.manual_seed(0)
                step = kill(kind, STEPS // 5) if fault == "killed" else None
                folder = Path(tempfile.mkdtemp())
                run = training(folder, build(), make, STEPS, step, pictures())
                artifacts = run.artifacts
                last = artifacts.last
                state = last.optimizer
                pairs = [
                    (s.norm, square**0.5)
                    for n, square in run.squares.items()
                    if (p := state.of(n)) and (s := statistics.of(last).sums(p)) and square > 1e-20 and s.norm > 1e-20
                ]
                r = float(np.corrcoef(np.log10(np.array(pairs)).T)[0, 1])
                layers = {s.layer: s for s in starved(artifacts.last)[0]}
                truth = sum(int(silent(run, n).sum()) for n in relus[kind])
                found = sum(layers[n].nearly for n in relus[kind] if n in layers)
                off = sum(abs(layers[n].nearly - int(silent(run, n).sum())) for n in relus[kind] if n in layers)
                said = [
                    f"{v.verdict} {v.diagnosis}"
                    for check in CHECKS
                    for v in check(artifacts, lambda fraction, text="": None).verdicts
                    if v.verdict in {"confirmed", "suspected"}
                ]
                print(
                    f"{kind:12} {name:10} {fault:8} {r:8.4f} {truth:5} {found:6} {off:5}  {'; '.join(said)}", flush=True
                )


if __name__ == "__main__":
    main()
