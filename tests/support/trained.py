"""Small real trainings, written to disk as people write them and read back by our own readers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from probes.artifacts import Artifacts
from probes.discover import discover

torch.set_num_threads(1)


@dataclass
class Trained:
    """What a test wants to know of a run beside its files."""

    folder: Path
    model: nn.Module
    x: torch.Tensor
    y: torch.Tensor
    squares: dict[str, float]
    """By parameter: the mean of squared gradient norms with Adam's weights, from hooks."""

    @property
    def artifacts(self) -> Artifacts:
        return discover([self.folder])


def tables(n: int = 600, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Four overlapping classes of 16 numbers."""
    generator = torch.Generator().manual_seed(seed)
    centres = torch.randn(4, 16, generator=generator)
    y = torch.randint(0, 4, (n,), generator=generator)
    return centres[y] + 1.2 * torch.randn(n, 16, generator=generator), y


def mlp(width: int = 32, depth: int = 2, act: type[nn.Module] = nn.ReLU) -> nn.Module:
    layers: list[nn.Module] = []
    size = 16
    for _ in range(depth):
        layers += [nn.Linear(size, width), act()]
        size = width
    return nn.Sequential(*layers, nn.Linear(size, 4))


def training(
    folder: Path,
    model: nn.Module,
    make: Callable[[nn.Module], torch.optim.Optimizer],
    steps: int = 300,
    before_step: Callable[[int, nn.Module], None] | None = None,
    data: tuple[torch.Tensor, torch.Tensor] | None = None,
) -> Trained:
    """Train for so many steps in a folder, saving three checkpoints and the losses of tenths of the run."""
    x, y = data or tables()
    optimizer, batches = make(model), torch.Generator().manual_seed(1)
    squares: dict[str, float] = {n: 0.0 for n, _ in model.named_parameters()}
    lines = ["epoch,train_loss,train_acc"]
    losses: list[float] = []
    right: list[float] = []
    for step in range(1, steps + 1):
        if before_step is not None:
            before_step(step, model)
        rows = torch.randint(0, len(x), (32,), generator=batches)
        optimizer.zero_grad()
        out = model(x[rows])
        loss = nn.functional.cross_entropy(out, y[rows])
        loss.backward()
        for name, p in model.named_parameters():
            if p.grad is not None:
                squares[name] = 0.999 * squares[name] + 0.001 * float(p.grad.double().pow(2).sum())
        optimizer.step()
        losses.append(float(loss.detach()))
        right.append(float((out.argmax(1) == y[rows]).float().mean()))
        if step % (steps // 10) == 0:
            lines.append(f"{len(lines)},{sum(losses) / len(losses)},{sum(right) / len(right)}")
            losses, right = [], []
        if step in (steps // 3, 2 * steps // 3, steps):
            state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": step}
            torch.save(state, folder / f"checkpoint_{step:05d}.pt")
    (folder / "log.csv").write_text("\n".join(lines) + "\n")
    return Trained(folder, model, x, y, {n: s / (1 - 0.999**steps) for n, s in squares.items()})
