"""A training loop with everything that people do in one, saved as they save it, for `xray.py`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn
from xray_nets import Data, Make, pictures

State = dict[str, Any]


@dataclass
class Plan:
    """How one run goes.

    Args:
        before: called before every step. graded: after the backward pass.
        saved: what goes into the file as the model. extra: what goes in beside it.
        validated: the mode of the validation passes, "eval" or "train".
        resumed: the step before which a new optimizer is made; 0 for none.
    """

    model: nn.Module
    make: Make
    data: Data = field(default_factory=pictures)
    steps: int = 400
    batch: int = 32
    before: Callable[[int, nn.Module], None] | None = None
    graded: Callable[[int, nn.Module], None] | None = None
    saved: Callable[[nn.Module], State] = lambda m: m.state_dict()
    extra: dict[str, Callable[[], State]] = field(default_factory=dict)
    scheduler: Callable[[torch.optim.Optimizer], Any] | None = None
    per: str = "epoch"
    clip: float = 0.0
    amp: bool = False
    accumulate: int = 1
    training: bool = True
    validated: str = "eval"
    resumed: int = 0
    epochs: int = 10


@dataclass
class Run:
    """What is known of a run beside its files: squares and moves are by parameter."""

    folder: Path
    plan: Plan
    squares: dict[str, float]
    moved: dict[str, float]


class Scaler:
    """Loss scaling as torch's GradScaler does it, on a processor without one."""

    def __init__(self) -> None:
        self.scale, self.tracker = 65536.0, 0

    def finite(self, model: nn.Module) -> bool:
        """Unscale, and say whether a step may be made."""
        fine = True
        for p in model.parameters():
            if p.grad is not None:
                p.grad /= self.scale
                fine = fine and bool(torch.isfinite(p.grad).all())
        self.scale, self.tracker = (self.scale, self.tracker + 1) if fine else (self.scale / 2, 0)
        return fine

    def state_dict(self) -> State:
        kept = {"growth_factor": 2.0, "backoff_factor": 0.5, "growth_interval": 2000}
        return {"scale": self.scale, **kept, "_growth_tracker": self.tracker}


def train(folder: Path, plan: Plan) -> Run:
    """Train, saving three checkpoints and a log with a row an epoch."""
    folder.mkdir(parents=True, exist_ok=True)
    model, (x, y) = plan.model, plan.data
    held, x, y = (x[-300:], y[-300:]), x[:-300], y[:-300]
    optimizer, batches = plan.make(model), torch.Generator().manual_seed(1)
    scheduler = plan.scheduler(optimizer) if plan.scheduler else None
    scaler = Scaler() if plan.amp else None
    squares, moved = {n: 0.0 for n, _ in model.named_parameters()}, dict[str, float]()
    lines, losses, right, epoch = ["epoch,train_loss,val_loss,train_acc,val_acc"], list[float](), list[float](), 0
    each, last, keep = max(1, plan.steps // plan.epochs), plan.steps, _memory(optimizer)
    for step in range(1, last + 1):
        model.train(plan.training)
        if plan.before is not None:
            plan.before(step, model)
        if step == plan.resumed:
            optimizer = plan.make(model)
        optimizer.zero_grad()
        for _ in range(plan.accumulate):
            rows = torch.randint(0, len(x), (plan.batch,), generator=batches)
            out = model(x[rows])
            loss = nn.functional.cross_entropy(out, y[rows]) / plan.accumulate
            (loss * (scaler.scale if scaler else 1.0)).backward()
        losses.append(float(loss.detach()) * plan.accumulate)
        right.append(float((out.argmax(1) == y[rows]).float().mean()))
        if plan.graded is not None:
            plan.graded(step, model)
        if scaler is None or scaler.finite(model):
            if plan.clip:
                nn.utils.clip_grad_norm_(model.parameters(), plan.clip)
            for name, p in model.named_parameters():
                if p.grad is not None:
                    squares[name] = keep * squares[name] + (1 - keep) * float(p.grad.double().pow(2).sum())
            start = {n: p.detach().clone() for n, p in model.named_parameters()} if step == last else {}
            optimizer.step()
            moved = {n: _move(p, start[n], optimizer) for n, p in model.named_parameters()} if start else moved
        if scheduler is not None and plan.per == "batch":
            scheduler.step()
        if step % each == 0:
            epoch += 1
            val = _validate(model.train(plan.validated == "train"), held)
            lines.append(f"{epoch},{sum(losses) / each},{val[0]},{sum(right) / each},{val[1]}")
            losses, right = [], []
            if scheduler is not None and plan.per == "epoch":
                scheduler.step()
        if step in (last // 3, 2 * last // 3, last):
            state = {"model": plan.saved(model), "optimizer": optimizer.state_dict(), "step": step, "epoch": epoch}
            state |= {key: of() for key, of in plan.extra.items()}
            state |= {"scheduler": scheduler.state_dict()} if scheduler is not None else {}
            state |= {"scaler": scaler.state_dict()} if scaler is not None else {}
            torch.save(state, folder / f"checkpoint_{step:05d}.pt")
    (folder / "log.csv").write_text("\n".join(lines) + "\n")
    count = last if not plan.resumed else last - plan.resumed + 1
    return Run(folder, plan, {n: s / (1 - keep**count) for n, s in squares.items()}, moved)


def _memory(optimizer: torch.optim.Optimizer) -> float:
    """What a mean of squares keeps in a step, as the optimizer's own does; Adam's default where it has none."""
    group = optimizer.param_groups[0]
    return float(group.get("alpha", group.get("betas", (0.9, 0.999))[1]))


def _move(now: torch.Tensor, before: torch.Tensor, optimizer: torch.optim.Optimizer) -> float:
    """The norm of the last change, without decoupled decay."""
    group = optimizer.param_groups[0]
    decay = group["lr"] * group.get("weight_decay", 0.0) if isinstance(optimizer, torch.optim.AdamW) else 0.0
    return float((now.detach().double() - (1 - decay) * before.double()).norm())


def _validate(model: nn.Module, held: Data) -> tuple[float, float]:
    with torch.no_grad():
        outs = [model(part) for part in held[0].split(100)]
    out = torch.cat(outs)
    loss = nn.functional.cross_entropy(out, held[1])
    return float(loss), float((out.argmax(1) == held[1]).float().mean())
