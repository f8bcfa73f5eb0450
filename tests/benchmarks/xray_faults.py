"""Runs with one thing wrong, and runs that only look wrong, each with what ought to be said of it, for `xray.py`."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn
from xray_nets import NETS, OPTIMIZERS, Data, Make, dense, pictures, tokens
from xray_runs import Plan

ADAM = OPTIMIZERS["adam"]
Stepper = Callable[[int, nn.Module], None]


@dataclass(frozen=True)
class Case:
    """`expected`: diagnoses, any of which is right to name; empty where the run is legitimate. `note`: what a file
    alone cannot show, where that is so."""

    plan: Callable[[], Plan]
    expected: tuple[str, ...] = ()
    note: str = ""
    code: str = "relu"


def mlp(make: Make = ADAM, **options: Any) -> Plan:
    return Plan(dense(), make, **options)


def cnn(make: Make = ADAM, **options: Any) -> Plan:
    return Plan(NETS["cnn+bn"].build(), make, **options)


def adam(lr: float = 2e-3, **options: Any) -> Make:
    return lambda m: torch.optim.Adam([p for p in m.parameters() if p.requires_grad], lr=lr, **options)


def kill(bias: str, share: float, at: int, value: float = -30.0) -> Stepper:
    """Push a share of a layer's biases far below zero at a step."""

    def now(step: int, model: nn.Module) -> None:
        if step == at:
            found = dict(model.named_parameters())[bias]
            with torch.no_grad():
                found[: int(share * len(found))] = value

    return now


def at(step: int, change: Callable[[nn.Module], None]) -> Stepper:
    """Do something to the model before one step."""

    def now(this: int, model: nn.Module) -> None:
        if this == step:
            with torch.no_grad():
                change(model)

    return now


def initialised(draw: Callable[[torch.Tensor], object], biases: float | None = None) -> nn.Module:
    model = dense()
    for p in model.parameters():
        if p.dim() > 1:
            draw(p)
        elif biases is not None:
            nn.init.constant_(p, biases)
    return model


def frozen(model: nn.Module, *names: str) -> nn.Module:
    for name, p in model.named_parameters():
        if name.startswith(names):
            p.requires_grad_(False)
    return model


class Detached(nn.Module):
    """The first two layers are cut off by a detach that was left in."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.fc2, self.fc3 = nn.Linear(64, 64), nn.Linear(64, 64), nn.Linear(64, 64)
        self.head = nn.Linear(64, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.fc2(torch.relu(self.fc1(x))))
        return self.head(torch.relu(self.fc3(x.detach())))


class Adapted(nn.Module):
    """Low-rank adapters on a frozen, trained body."""

    def __init__(self, body: nn.Sequential) -> None:
        super().__init__()
        self.base = frozen(body, "")
        self.lora_A = nn.ModuleList(nn.Linear(m.in_features, 4, bias=False) for m in body if isinstance(m, nn.Linear))
        self.lora_B = nn.ModuleList(nn.Linear(4, m.out_features, bias=False) for m in body if isinstance(m, nn.Linear))
        for up in self.lora_B:
            nn.init.zeros_(up.weight)  # type: ignore[arg-type]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        done = 0
        for module in self.base:  # type: ignore[attr-defined]
            if isinstance(module, nn.Linear):
                x, done = module(x) + self.lora_B[done](self.lora_A[done](x)), done + 1
            else:
                x = module(x)
        return x


class Tied(nn.Module):
    """Predicts the class as a word: input and output table are one."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(400, 24)
        self.fc = nn.Linear(24, 24)
        self.decoder = nn.Linear(24, 400, bias=False)
        self.decoder.weight = self.embedding.weight
        nn.init.normal_(self.embedding.weight, std=0.1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.decoder(torch.relu(self.fc(self.embedding(x).mean(1))))


def pretrained() -> nn.Sequential:
    """A body that has learned a task before."""
    model, (x, y) = dense(), pictures()
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    for i in range(200):
        part = slice(32 * i % 1400, 32 * i % 1400 + 32)
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x[part]), y[part]).backward()
        optimizer.step()
    return model


def finetuned() -> nn.Module:
    model = frozen(pretrained(), "0.", "2.")
    model[-1].reset_parameters()  # type: ignore[index,operator]
    return model


def averaged() -> Plan:
    """Exponential averages are saved in place of the weights, counters of batch norm left alone."""
    plan = cnn()
    kept = copy.deepcopy(plan.model)

    def track(step: int, model: nn.Module) -> None:
        with torch.no_grad():
            for a, b in zip(kept.state_dict().values(), model.state_dict().values(), strict=True):
                if a.is_floating_point():
                    a.lerp_(b, 0.02)

    return replace(plan, before=track, saved=lambda _: kept.state_dict())


def pruned() -> Plan:
    """Half of the weights are held at zero by a mask from a third of the run on."""
    masks: dict[str, torch.Tensor] = {}

    def mask(step: int, model: nn.Module) -> None:
        with torch.no_grad():
            for name, p in model.named_parameters():
                if p.dim() > 1 and step >= 130:
                    masks.setdefault(name, (p.abs() >= p.abs().median()).float())
                    p.mul_(masks[name])

    return mlp(before=mask)


def scaled_features(factor: Callable[[torch.Tensor], torch.Tensor]) -> Data:
    x, y = pictures()
    return factor(x), y


def one_feature(value: float) -> Callable[[torch.Tensor], torch.Tensor]:
    def change(x: torch.Tensor) -> torch.Tensor:
        x = x.clone()
        x[:, 5] = 0.0 if value == 0 else x[:, 5] * value
        return x

    return change


def overflowing(step: int, model: nn.Module) -> None:
    """One gradient that is finite, but whose square is not."""
    if step == 200:
        layer = model[2]  # type: ignore[index]
        layer.weight.grad[:40] = 3e22


def overflowing_scale(step: int, model: nn.Module) -> None:
    if step > 120:
        next(model.parameters()).grad.fill_(math.inf)  # type: ignore[union-attr]


def nothing(bad: float) -> Stepper:
    def spoil(model: nn.Module) -> None:
        model[2].weight[3, 5] = bad  # type: ignore[index]

    return at(400, spoil)


def imbalanced() -> Data:
    x, y = pictures()
    x[torch.rand(len(y), generator=torch.Generator().manual_seed(2)) < 0.5] *= 0.01
    return torch.randn(x.shape, generator=torch.Generator().manual_seed(3)), (y == 0).long() * (y + 1)


def few(count: int) -> Data:
    x, y = pictures()
    return torch.cat([x[:count], x[-300:]]), torch.cat([y[:count], y[-300:]])


class Pair(nn.Module):
    """A generator and a discriminator of real, generated and labelled pictures; it is called for its classes."""

    def __init__(self) -> None:
        super().__init__()
        self.generator = nn.Sequential(nn.Linear(8, 48), nn.ReLU(), nn.Linear(48, 64))
        self.discriminator = nn.Sequential(nn.Linear(64, 48), nn.LeakyReLU(0.2), nn.Linear(48, 4))
        self.other = torch.optim.Adam(self.generator.parameters(), lr=1e-3, betas=(0.5, 0.999))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.discriminator(x)

    def play(self, step: int, _: nn.Module) -> None:
        self.other.zero_grad()
        fake = self.discriminator(self.generator(torch.randn(32, 8)))
        nn.functional.cross_entropy(fake, torch.zeros(32).long()).backward()
        self.other.step()


def adversaries() -> Plan:
    model = Pair()
    kept = {"optimizer_generator": model.other.state_dict}
    return Plan(model, lambda m: torch.optim.Adam(m.discriminator.parameters(), lr=1e-3), before=model.play, extra=kept)  # type: ignore[union-attr,arg-type]


class Beside(nn.Module):
    """A network and another one beside it that no optimizer has: a target copy, a momentum encoder, a teacher."""

    def __init__(self, other: nn.Module) -> None:
        super().__init__()
        self.student, self.teacher = dense(), frozen(other, "")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.student(x)

    def follow(self, step: int, _: nn.Module) -> None:
        with torch.no_grad():
            for a, b in zip(self.teacher.parameters(), self.student.parameters(), strict=True):
                a.lerp_(b, 0.01)


def beside(other: Callable[[], nn.Module], follows: bool = False) -> Plan:
    model = Beside(other())
    return Plan(model, adam(), before=model.follow if follows else None)


def cast(dtype: torch.dtype) -> Callable[[nn.Module], dict[str, Any]]:
    return lambda m: {n: t.to(dtype) if t.is_floating_point() else t for n, t in m.state_dict().items()}


def two_sets(model: nn.Module) -> list[dict[str, Any]]:
    small = [p for p in model.parameters() if p.dim() < 2]
    return [{"params": [p for p in model.parameters() if p.dim() > 1]}, {"params": small}]


FROZEN, NAN, LOOP = "frozen-parameters", "numerical-instability", "training-loop-bug"
HIGH, LOW, INIT = "learning-rate-too-high", "learning-rate-too-low", "bad-initialization"
MODE, MIX = "train-eval-mode", "checkpoint-mismatch"
FAULTS: dict[str, Case] = {
    "units killed, all of a layer": Case(lambda: mlp(before=kill("2.bias", 1.0, 80)), ("dead-relu",)),
    "units killed, 60 %": Case(
        lambda: mlp(before=kill("2.bias", 0.6, 80)), ("dead-relu",), "the run learns: suspected at most"
    ),
    "units killed, GELU": Case(
        lambda: Plan(dense(nn.GELU), ADAM, before=kill("2.bias", 1.0, 80)),
        ("saturated-activations",),
        "a bare file names no activation: starved, suspected as dead if a ReLU follows",
        "gelu",
    ),
    "units killed, unknown": Case(lambda: mlp(before=kill("2.bias", 1.0, 80)), ("dead-relu",), "", ""),
    "NaN weight": Case(lambda: mlp(before=nothing(math.nan)), (NAN,)),
    "Inf weight": Case(lambda: mlp(before=nothing(math.inf)), (NAN,)),
    "v overflows": Case(lambda: mlp(graded=overflowing), (NAN,)),
    "frozen by accident": Case(
        lambda: Plan(frozen(dense(), "0.", "2.", "4."), adam()), (FROZEN,), "random features may learn enough"
    ),
    "middle layer frozen": Case(lambda: Plan(frozen(dense(), "2."), adam()), (FROZEN,), "the run learns"),
    "detached branch": Case(lambda: Plan(Detached(), ADAM), (FROZEN,), "the run learns"),
    "parameters omitted": Case(
        lambda: mlp(lambda m: torch.optim.Adam(m[-1].parameters(), lr=1e-4)),
        (FROZEN,),  # type: ignore[index]
    ),
    "init x 30": Case(lambda: Plan(initialised(lambda p: p.data.mul_(30)), ADAM), (INIT,)),
    "init x .001": Case(lambda: Plan(initialised(lambda p: p.data.mul_(1e-3)), adam(1e-5)), (INIT, LOW)),
    "constant init": Case(lambda: Plan(initialised(lambda p: nn.init.constant_(p, 0.05), biases=0.0), ADAM), (INIT,)),
    "lr x 100": Case(lambda: mlp(adam(0.2)), (HIGH,)),
    "lr x 100, SGD": Case(lambda: mlp(lambda m: torch.optim.SGD(m.parameters(), lr=3.0, momentum=0.9)), (HIGH,)),
    "lr / 1000": Case(lambda: mlp(adam(2e-6)), (LOW,)),
    "eps 1": Case(lambda: mlp(adam(2e-4, eps=1.0)), (LOW,)),
    "inputs x 255": Case(lambda: mlp(data=scaled_features(lambda x: 255 * x)), ("unscaled-inputs",)),
    "one feature x 300": Case(lambda: mlp(data=scaled_features(one_feature(300.0))), ("unscaled-inputs",)),
    "validated in train mode": Case(lambda: cnn(validated="train"), (MODE,)),
    "trained in eval mode": Case(lambda: cnn(training=False), (MODE, "batch-norm-trouble")),
    "scheduler per batch": Case(
        lambda: mlp(scheduler=lambda o: torch.optim.lr_scheduler.StepLR(o, 5, 0.1), per="batch"), (LOW, LOOP)
    ),
    "warm-up per epoch": Case(
        lambda: mlp(scheduler=lambda o: torch.optim.lr_scheduler.OneCycleLR(o, 2e-4, total_steps=400)), (LOW, LOOP)
    ),
    "resumed without optimizer": Case(lambda: mlp(resumed=250), (MIX,)),
    "loss scale collapsed": Case(lambda: mlp(amp=True, graded=overflowing_scale), (NAN,)),
    "collapsed outputs": Case(
        lambda: mlp(adam(0.1), data=imbalanced()),
        (HIGH, "class-imbalance", "collapsed-output", "dead-relu"),
        "98 % of a layer is dead; that outputs have collapsed needs a batch",
    ),
    "weight decay far too large": Case(
        lambda: mlp(lambda m: torch.optim.AdamW(m.parameters(), lr=2e-3, weight_decay=200.0)), ("over-regularization",)
    ),
}
LEGITIMATE: dict[str, Case] = {
    "constant feature": Case(lambda: mlp(data=scaled_features(one_feature(0.0)))),
    "gradients accumulated": Case(lambda: cnn(accumulate=4)),
    "averaged weights saved": Case(averaged),
    "fine-tuned on a frozen body": Case(lambda: Plan(finetuned(), adam())),
    "unused embedding rows": Case(lambda: Plan(NETS["embedding"].build(), ADAM, data=tokens())),
    "frozen embedding": Case(lambda: Plan(frozen(NETS["embedding"].build(), "embedding"), adam(), data=tokens())),
    "low-rank adapters": Case(lambda: Plan(Adapted(pretrained()), adam())),
    "tied weights": Case(lambda: Plan(Tied(), ADAM, data=tokens(), steps=600)),
    "weight decay on norms": Case(lambda: cnn(OPTIMIZERS["adamw"])),
    "no decay on norms": Case(lambda: cnn(lambda m: torch.optim.AdamW(two_sets(m), lr=2e-3))),
    "pruned by a mask": Case(pruned),
    "fp16 weights": Case(lambda: mlp(saved=cast(torch.float16))),
    "bf16 weights": Case(lambda: mlp(saved=cast(torch.bfloat16))),
    "cosine to zero": Case(lambda: mlp(scheduler=lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, 10))),
    "one-cycle per batch": Case(
        lambda: mlp(scheduler=lambda o: torch.optim.lr_scheduler.OneCycleLR(o, 4e-3, total_steps=400), per="batch")
    ),
    "small batches, large lr": Case(lambda: mlp(adam(5e-3), batch=8)),
    "full batch": Case(lambda: mlp(batch=1200, steps=200)),
    "overfitted on 60 samples": Case(lambda: mlp(data=few(60), steps=600)),
    "leaky ReLU": Case(lambda: Plan(dense(nn.LeakyReLU), ADAM), code="leaky_relu"),
    "tanh": Case(lambda: Plan(dense(nn.Tanh), ADAM), code="tanh"),
    "AMSGrad": Case(lambda: mlp(adam(amsgrad=True))),
    "Nesterov": Case(lambda: mlp(lambda m: torch.optim.SGD(m.parameters(), 0.02, momentum=0.9, nesterov=True))),
    "plain SGD": Case(lambda: mlp(lambda m: torch.optim.SGD(m.parameters(), 0.1))),
    "betas .9 .95": Case(lambda: mlp(adam(betas=(0.9, 0.95)))),
    "two optimizers (GAN)": Case(adversaries),
    "momentum encoder": Case(lambda: beside(dense, follows=True)),
    "target before its first update": Case(lambda: beside(dense)),
    "teacher beside it": Case(lambda: beside(pretrained)),
    "no code beside it": Case(lambda: cnn(), code=""),
}
