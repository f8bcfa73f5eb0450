"""Is a measurement from machine A or machine B?"""

from collections import OrderedDict
from pathlib import Path

import torch
from torch import nn


def build_model():
    layers = {"fc1": nn.Linear(10, 48), "relu": nn.ReLU(), "head": nn.Linear(48, 1), "sigmoid": nn.Sigmoid()}
    return nn.Sequential(OrderedDict(layers))


def loss_fn(outputs, targets):
    p, y = outputs.squeeze(1), targets.float()
    return -(y * p.log() + (1 - y) * (1 - p).log()).mean()


def load_batch():
    data = torch.load(Path(__file__).with_name("train.pt"))
    return data["x"][:128], data["y"][:128]
