"""Sorting parts into ten kinds by 32 sensor readings."""

from pathlib import Path

import torch
from torch import nn


def build_model():
    return nn.Sequential(
        nn.Linear(32, 128),
        nn.ReLU(),
        nn.Linear(128, 64),
        nn.ReLU(),
        nn.Linear(64, 10),
    )


loss_fn = nn.CrossEntropyLoss()


def load_batch():
    data = torch.load(Path(__file__).with_name("train.pt"))
    return data["x"][:256], data["y"][:256]
