"""Inside or outside the ring? Six layers, with the activation that you choose."""

from collections import OrderedDict
from pathlib import Path

import torch
from torch import nn

ACTIVATIONS = {"sigmoid": nn.Sigmoid, "tanh": nn.Tanh, "relu": nn.ReLU}


def build_model(activation="sigmoid"):
    layers, width = OrderedDict(), 2
    for i in range(1, 7):
        layers[f"fc{i}"] = nn.Linear(width, 32)
        layers[f"act{i}"] = ACTIVATIONS[activation]()
        width = 32
    layers["head"] = nn.Linear(32, 2)
    return nn.Sequential(layers)


loss_fn = nn.CrossEntropyLoss()


def load_batch():
    data = torch.load(Path(__file__).with_name("train.pt"))
    return data["x"][:200], data["y"][:200]
