"""A run folder as a person would have it, written in milliseconds: no training, but real files."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

MODEL = """
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(8, 16)
        self.act = nn.ReLU()
        self.head = nn.Linear(16, 3)

    def forward(self, x):
        return self.head(self.act(self.fc1(x)))


def build_model():
    return Net()


def load_batch():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(64, 8, generator=generator), torch.randint(0, 3, (64,), generator=generator)


loss_fn = nn.CrossEntropyLoss()
"""


def weights(folder: Path, nan: bool = False) -> Path:
    """A safetensors file of the model above, with one NaN if asked for."""
    rng = np.random.default_rng(0)
    tensors = {
        "fc1.weight": rng.normal(0, 0.3, (16, 8)).astype("f4"),
        "fc1.bias": np.zeros(16, "f4"),
        "head.weight": rng.normal(0, 0.2, (3, 16)).astype("f4"),
        "head.bias": np.zeros(3, "f4"),
    }
    if nan:
        tensors["head.weight"][1, 2] = np.nan
    path = folder / "model.safetensors"
    save_file(tensors, path)
    return path


def log(folder: Path, train: list[float], val: list[float]) -> Path:
    """A CSV log."""
    path = folder / "metrics.csv"
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["epoch", "train_loss", "val_loss"])
        rows.writerows([i, f"{a:.5f}", f"{b:.5f}"] for i, (a, b) in enumerate(zip(train, val, strict=True), 1))
    return path


def overfitting(folder: Path) -> Path:
    """A folder with a log that overfits from epoch 10 on, and finite weights."""
    folder.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(1).normal(0, 0.01, 40)
    train = [1.1 * 0.88**i + 0.02 + 0.2 * noise[i] * 0.88**i for i in range(40)]
    val = [0.55 + 0.5 * 0.75**i + 0.02 * max(0, i - 9) + 0.3 * noise[i] for i in range(40)]
    log(folder, train, val)
    weights(folder)
    (folder / "model.py").write_text(MODEL)
    return folder


def healthy(folder: Path) -> Path:
    """A folder with a log that comes down and stays down, and finite weights."""
    folder.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(1).normal(0, 0.01, 40)
    train = [1.05 * 0.85**i + 0.1 + 0.3 * noise[i] for i in range(40)]
    val = [1.05 * 0.85**i + 0.13 + 0.3 * noise[39 - i] for i in range(40)]
    log(folder, train, val)
    weights(folder)
    (folder / "model.py").write_text(MODEL)
    return folder
