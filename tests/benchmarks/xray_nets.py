"""Small nets of the usual kinds, the optimizers that train them, and their data, for `xray.py`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import nn

Data = tuple[torch.Tensor, torch.Tensor]


def pictures(n: int = 1500) -> Data:
    """Four kinds of 8 x 8 pictures in noise."""
    generator = torch.Generator().manual_seed(0)
    shapes = torch.randn(4, 64, generator=generator)
    y = torch.randint(0, 4, (n,), generator=generator)
    return 0.7 * shapes[y] + torch.randn(n, 64, generator=generator), y


def tokens(n: int = 1500) -> Data:
    """Sentences of 16 words, common ones more often; a few words of their own give four classes away."""
    generator = torch.Generator().manual_seed(0)
    words = (180 * torch.rand(n, 16, generator=generator) ** 3).long()
    y = torch.randint(0, 4, (n,), generator=generator)
    words[:, :3] = 180 + 5 * y[:, None] + torch.randint(0, 5, (n, 3), generator=generator)
    return words, y


class Convolutions(nn.Module):
    def __init__(self, normed: bool) -> None:
        super().__init__()
        self.c1 = nn.Conv2d(1, 12, 3, padding=1)
        self.b1: nn.Module = nn.BatchNorm2d(12) if normed else nn.Identity()
        self.c2 = nn.Conv2d(12, 16, 3, padding=1)
        self.b2: nn.Module = nn.BatchNorm2d(16) if normed else nn.Identity()
        self.head = nn.Linear(16, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.b1(self.c1(x.view(-1, 1, 8, 8))))
        return self.head(torch.relu(self.b2(self.c2(x))).mean((2, 3)))


class Block(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.c1, self.b1 = nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width)
        self.c2, self.b2 = nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(x + self.b2(self.c2(torch.relu(self.b1(self.c1(x))))))


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem, self.bn = nn.Conv2d(1, 12, 3, padding=1, bias=False), nn.BatchNorm2d(12)
        self.blocks = nn.Sequential(Block(12), Block(12))
        self.head = nn.Linear(12, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.blocks(torch.relu(self.bn(self.stem(x.view(-1, 1, 8, 8))))).mean((2, 3)))


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
        self.fc = nn.Linear(32, 32)
        self.head = nn.Linear(32, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(torch.relu(self.fc(self.rnn(x.view(-1, 8, 8))[0][:, -1])))


class Words(nn.Module):
    """Half of its vocabulary never occurs."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(400, 24)
        self.fc = nn.Linear(24, 48)
        self.head = nn.Linear(48, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(torch.relu(self.fc(self.embedding(x).mean(1))))


def dense(act: Callable[[], nn.Module] = nn.ReLU, widths: tuple[int, ...] = (96, 64, 64)) -> nn.Sequential:
    layers: list[nn.Module] = []
    for before, after in zip((64, *widths), widths, strict=False):
        layers += [nn.Linear(before, after), act()]
    return nn.Sequential(*layers, nn.Linear(widths[-1], 4))


@dataclass(frozen=True)
class Kind:
    """One kind of net.

    Args:
        relus: layer in the file -> module whose output goes into a ReLU.
        killed: the bias that is set far below zero to kill units.
        activation: what a script would name.
    """

    build: Callable[[], nn.Module]
    relus: dict[str, str]
    killed: str
    activation: str = "relu"
    data: Callable[[], Data] = field(default=pictures)


NETS: dict[str, Kind] = {
    "mlp": Kind(dense, {"0": "0", "2": "2", "4": "4"}, "2.bias"),
    "mlp-gelu": Kind(lambda: dense(nn.GELU), {}, "2.bias", "gelu"),
    "cnn": Kind(lambda: Convolutions(False), {"c1": "c1", "c2": "c2"}, "c2.bias"),
    "cnn+bn": Kind(lambda: Convolutions(True), {"c1": "b1", "c2": "b2"}, "b2.bias"),
    "resnet": Kind(Residual, {"blocks.0.c1": "blocks.0.b1", "blocks.1.c1": "blocks.1.b1"}, "blocks.1.b1.bias"),
    "lstm": Kind(Recurrent, {"fc": "fc"}, "fc.bias"),
    "transformer": Kind(
        Attention, {"block1.linear1": "block1.linear1", "block2.linear1": "block2.linear1"}, "block1.linear1.bias"
    ),
    "embedding": Kind(Words, {"fc": "fc"}, "fc.bias", data=tokens),
}

Make = Callable[[nn.Module], torch.optim.Optimizer]

OPTIMIZERS: dict[str, Make] = {
    "adam": lambda m: torch.optim.Adam(m.parameters(), lr=2e-3),
    "adamw": lambda m: torch.optim.AdamW(m.parameters(), lr=2e-3, weight_decay=0.05),
    "momentum": lambda m: torch.optim.SGD(m.parameters(), lr=0.02, momentum=0.9),
    "adam+l2": lambda m: torch.optim.Adam(m.parameters(), lr=2e-3, weight_decay=1e-3),
    "momentum+l2": lambda m: torch.optim.SGD(m.parameters(), lr=0.02, momentum=0.9, weight_decay=1e-3),
    "rmsprop": lambda m: torch.optim.RMSprop(m.parameters(), lr=1e-3),
    "adam clip .1": lambda m: torch.optim.Adam(m.parameters(), lr=2e-3),
    "adam amp": lambda m: torch.optim.Adam(m.parameters(), lr=2e-3),
}
EVERYWHERE = ("adam", "adamw", "momentum")
"""The optimizers that every net is trained with; the others see the first and the fourth one."""
