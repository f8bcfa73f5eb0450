"""Files that hold whole objects of other people's classes: fastai's exported Learner, ultralytics' models."""

from __future__ import annotations

import copy
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from probes.artifacts import Checkpoint
from probes.discover import discover

torch.set_num_threads(1)


@pytest.fixture
def classes(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes a class of a module that is not installed; it is gone again before the file is read."""

    def make(module: str, name: str, base: type = object) -> Any:
        parts = module.split(".")
        for end in range(1, len(parts) + 1):
            path = ".".join(parts[:end])
            if path not in sys.modules:
                monkeypatch.setitem(sys.modules, path, types.ModuleType(path))
        made = type(name, (base,), {"__module__": module, "__qualname__": name})
        setattr(sys.modules[module], name, made)
        return made

    return make


def read(path: Path, monkeypatch: pytest.MonkeyPatch) -> Checkpoint:
    monkeypatch.undo()
    (checkpoint,) = discover([path]).checkpoints
    assert not {"fastai", "ultralytics"} & sys.modules.keys()
    return checkpoint


@pytest.mark.filterwarnings("ignore:Couldn't retrieve source code")
@pytest.mark.parametrize("way", [{}, {"pickle_protocol": 4}, {"_use_new_zipfile_serialization": False}])
def test_an_exported_learner_has_its_weights_and_settings(
    tmp_path: Path, classes: Any, monkeypatch: pytest.MonkeyPatch, way: dict[str, Any]
) -> None:
    body = classes("fastai.vision.learner", "Body", nn.Sequential)
    model = body(nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8)), nn.Sequential(nn.Flatten(), nn.Linear(8, 4)))
    learner, recorder = classes("fastai.learner", "Learner")(), classes("fastai.learner", "Recorder")()
    learner.model, learner.lr, learner.moms, learner.opt = model, 1e-3, (0.95, 0.85, 0.95), None
    learner.loss_func = classes("fastai.losses", "CrossEntropyLossFlat")()
    learner.cbs, recorder.learn = [recorder], learner
    torch.save(learner, tmp_path / "export.pkl", **way)
    checkpoint = read(tmp_path, monkeypatch)
    assert (checkpoint.format, list(checkpoint.tensors)) == ("fastai", list(model.state_dict()))
    for name, value in model.state_dict().items():
        assert np.array_equal(checkpoint.tensors[name].array(), value.numpy())
    assert checkpoint.hyper["lr"] == 1e-3 and checkpoint.hyper["moms"] == [0.95, 0.85, 0.95]
    assert checkpoint.unread == ("loss_func",)
    assert {"fastai.learner.Learner", "fastai.losses.CrossEntropyLossFlat"} <= set(checkpoint.refused)


def detector(classes: Any) -> nn.Module:
    conv, whole = (classes("ultralytics.nn", name, nn.Module) for name in ("Conv", "DetectionModel"))
    layers = []
    for inputs in (3, 8):
        layer = conv()
        layer.conv, layer.bn, layer.act = nn.Conv2d(inputs, 8, 3, bias=False), nn.BatchNorm2d(8), nn.SiLU()
        layers.append(layer)
    model: nn.Module = whole()
    model.model, model.names, model.stride = nn.Sequential(*layers), {0: "cat"}, torch.tensor([8.0, 16.0])
    return model


def test_a_running_ultralytics_file_has_its_averaged_weights_its_optimizer_and_its_results(
    tmp_path: Path, classes: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = detector(classes)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    for parameter in model.parameters():
        parameter.grad = torch.randn_like(parameter)
    optimizer.step()
    saved = {
        "epoch": 4,
        "model": None,
        "ema": copy.deepcopy(model).half(),
        "updates": 120,
        "optimizer": optimizer.state_dict(),
        "train_args": {"lr0": 0.01, "epochs": 5},
        "train_results": {"epoch": [1, 2], "train/box_loss": [1.0, 0.5]},
    }
    torch.save(saved, tmp_path / "last.pt")
    checkpoint = read(tmp_path, monkeypatch)
    assert (checkpoint.format, checkpoint.epoch, checkpoint.unread) == ("ultralytics", 4, ())
    assert checkpoint.tensors["model.1.conv.weight"].dtype == "float16"
    state = checkpoint.optimizer
    assert state is not None and (state.kind, state.mapping) == ("sgd", "order")
    own = state.of("model.1.bn.bias")
    assert own is not None and np.array_equal(
        own.slots["momentum_buffer"].array(), list(model.parameters())[-1].grad.numpy()
    )
    assert checkpoint.hyper["train_args"]["epochs"] == 5
    assert checkpoint.hyper["train_results"]["train/box_loss"] == [1.0, 0.5]


def test_a_finished_ultralytics_file_says_that_it_was_stripped(
    tmp_path: Path, classes: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved = {
        "epoch": -1,
        "model": detector(classes).half(),
        "ema": None,
        "optimizer": None,
        "train_args": {"lr0": 0.01},
    }
    torch.save(saved, tmp_path / "best.pt")
    checkpoint = read(tmp_path, monkeypatch)
    assert checkpoint.epoch is None and checkpoint.optimizer is None and len(checkpoint.tensors) == 12
    assert any("stripped" in warning for warning in checkpoint.warnings)


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("way", [{}, {"_use_new_zipfile_serialization": False}])
def test_an_optimizer_that_was_saved_as_an_object_has_the_names_of_its_parameters(
    tmp_path: Path, whole: bool, way: dict[str, Any]
) -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    optimizer = torch.optim.AdamW([{"params": model[1].parameters(), "lr": 0.1}, {"params": model[0].parameters()}])
    model(torch.randn(2, 4)).sum().backward()
    optimizer.step()
    torch.save((model if whole else model.state_dict(), optimizer, 7), tmp_path / "c.pt", **way)
    (checkpoint,) = discover([tmp_path / "c.pt"]).checkpoints
    found = checkpoint.optimizer
    assert found is not None and (found.kind, found.mapping, found.step) == ("adamw", "names", 1)
    assert [p.name for p in found.parameters] == ["1.weight", "1.bias", "0.weight", "0.bias"]
    state = found.of("1.bias")
    assert state is not None and np.array_equal(state.slots["exp_avg"].array(), np.float32([0.2] * 4))
    assert checkpoint.hyper["2"] == 7
