"""Two interleaved half moons, with noisy labels: a network of the width and depth that you choose."""

from collections import OrderedDict
from pathlib import Path

import torch
from torch import nn

SIZES = {"huge": (256, 4), "deep": (32, 5), "wide": (256, 1), "narrow": (2, 1)}  # width, hidden layers


def build_model(width=256, depth=4):
    layers, last = OrderedDict(), 2
    for i in range(1, depth + 1):
        layers[f"fc{i}"] = nn.Linear(last, width)
        layers[f"relu{i}"] = nn.ReLU()
        last = width
    layers["head"] = nn.Linear(last, 2)
    return nn.Sequential(layers)


loss_fn = nn.CrossEntropyLoss()


def load_batch():
    data = torch.load(Path(__file__).with_name("train.pt"))
    return data["x"][:100], data["y"][:100]
