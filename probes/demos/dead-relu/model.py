"""Sorting parts into ten kinds by 32 sensor readings."""

from collections import OrderedDict
from pathlib import Path

import torch
from torch import nn


def build_model():
    layers = {
        "fc1": nn.Linear(32, 128),
        "relu1": nn.ReLU(),
        "fc2": nn.Linear(128, 64),
        "relu2": nn.ReLU(),
        "head": nn.Linear(64, 10),
    }
    return nn.Sequential(OrderedDict(layers))


loss_fn = nn.CrossEntropyLoss()


def load_batch():
    data = torch.load(Path(__file__).with_name("train.pt"))
    return data["x"][:256], data["y"][:256]
