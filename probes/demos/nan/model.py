"""Predict which of four machines a measurement comes from."""

from pathlib import Path

import torch
from torch import nn


def build_model():
    return nn.Sequential(nn.Linear(10, 48), nn.ReLU(), nn.Linear(48, 4), nn.Softmax(dim=1))


def loss_fn(outputs, targets):
    wanted = nn.functional.one_hot(targets, 4)
    return -(wanted * outputs.log()).sum(1).mean()


def load_batch():
    data = torch.load(Path(__file__).with_name("train.pt"))
    return data["x"][:128], data["y"][:128]
