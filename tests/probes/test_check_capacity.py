"""Sizes are counted exactly; a linear or narrow classifier is suspected only where the logs say it did not learn."""

import math

import numpy as np
import pytest
import torch
from torch import nn
from trained import mlp

from probes.checks.capacity import run
from probes.discover import discover
from probes.saved.samples import training_samples

CHANCE = "epoch,train_loss,train_acc,val_loss\n" + "".join(f"{i},{math.log(4)},0.25,1.39\n" for i in range(1, 13))
FLAT = "epoch,train_loss,train_acc\n" + "".join(f"{i},{0.9 + 0.5 / i**3},{0.5 - 0.2 / i}\n" for i in range(1, 41))
LEARNS = "epoch,train_loss,train_acc\n" + "".join(f"{i},{1.4 / i},{1 - 0.7 / i}\n" for i in range(1, 13))


def check(folder, model: nn.Module, log: str = "", **extra):
    torch.save({"model": model.state_dict(), **extra}, folder / "checkpoint.pt")
    if log:
        (folder / "log.csv").write_text(log)
    return run(discover([folder]), lambda fraction, text="": None)


def value(found, start: str):
    return next(m.value for m in found.measures if m.name.startswith(start))


def narrow(width: int) -> nn.Module:
    return nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, width), nn.ReLU(), nn.Linear(width, 4))


@pytest.mark.parametrize("log", [CHANCE, FLAT])
@pytest.mark.parametrize(("model", "words"), [(nn.Linear(16, 4), "no hidden layer"), (narrow(1), "has 1 unit before")])
def test_a_model_too_narrow_that_did_not_learn_is_suspected(tmp_path, model, words, log):
    found = check(tmp_path, model, log)
    assert [(v.diagnosis, v.verdict, v.kind) for v in found.verdicts] == [("underfitting", "suspected", "inferred")]
    assert words in found.verdicts[0].because


@pytest.mark.parametrize("log", [LEARNS, ""])
@pytest.mark.parametrize("model", [nn.Linear(16, 4), narrow(1)])
def test_the_same_models_are_not_accused_where_they_learn_or_nothing_is_known(tmp_path, model, log):
    assert check(tmp_path, model, log).verdicts == ()


@pytest.mark.parametrize("model", [mlp(), narrow(2), nn.Sequential(nn.Conv2d(1, 1, 3), nn.Flatten(), nn.Linear(9, 4))])
def test_a_wide_enough_model_that_did_not_learn_is_not_called_too_small(tmp_path, model):
    assert check(tmp_path, model, CHANCE).verdicts == ()


def test_a_run_that_still_improves_is_not_called_too_small(tmp_path):
    log = "epoch,train_loss,train_acc\n" + "".join(f"{i},{1.5 - 0.03 * i},{0.3 + 0.01 * i}\n" for i in range(1, 13))
    assert check(tmp_path, nn.Linear(16, 4), log).verdicts == ()


def test_an_unnamed_matrix_may_be_a_hidden_layer(tmp_path):
    model = nn.Linear(16, 4)
    model.hidden = nn.Parameter(torch.randn(16, 16))
    assert check(tmp_path, model, CHANCE).verdicts == ()


def test_shared_weights_count_once_and_buffers_not_at_all(tmp_path):
    model = nn.Sequential(nn.Linear(8, 8), nn.BatchNorm1d(8), nn.Linear(8, 8))
    model[2].weight = model[0].weight
    found = check(tmp_path, model)
    assert value(found, "parameters") == sum(p.numel() for p in model.parameters())


def test_many_parameters_a_sample_are_told_and_not_judged(tmp_path):
    np.savez(tmp_path / "train.npz", inputs=np.zeros((20, 16)), targets=np.zeros(20, np.int64))
    found = check(tmp_path, mlp(width=256), LEARNS)
    assert found.verdicts == ()
    assert value(found, "training samples") == 20
    assert value(found, "parameters per training sample") > 1000


@pytest.mark.parametrize(
    ("extra", "count", "about"),
    [
        ({"args": {"train_size": 100, "batch_size": 32}}, 100, False),
        ({"config": {"data": {"num_train_samples": 5000}}}, 5000, False),
        ({"args": {"batch_size": 32}, "epoch": 20, "step": 200}, 320, True),
    ],
)
def test_samples_are_known_from_settings_and_counters(tmp_path, extra, count, about):
    torch.save({"model": mlp().state_dict(), **extra}, tmp_path / "checkpoint.pt")
    found = training_samples(discover([tmp_path]))
    assert found is not None
    assert (found.count, found.about) == (count, about)


@pytest.mark.parametrize(
    "extra", [{"args": {"train_size": 0.8}}, {"args": {"batch_size": 32}, "epoch": 2, "step": 9}, {}]
)
def test_samples_are_not_guessed(tmp_path, extra):
    torch.save({"model": mlp().state_dict(), **extra}, tmp_path / "checkpoint.pt")
    assert training_samples(discover([tmp_path])) is None


def test_saved_training_tensors_are_counted_and_validation_ones_are_not(tmp_path):
    torch.save(mlp().state_dict(), tmp_path / "checkpoint.pt")
    torch.save({"x": torch.zeros(40, 16), "y": torch.zeros(40)}, tmp_path / "val.pt")
    assert training_samples(discover([tmp_path])) is None
    torch.save({"x": torch.zeros(90, 16), "y": torch.zeros(90)}, tmp_path / "train.pt")
    found = training_samples(discover([tmp_path]))
    assert found is not None
    assert (found.count, found.source) == (90, "train.pt")


class Listed(nn.Module):
    """Layers in a list: forward() may put anything between them."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(16, 32), nn.Linear(32, 32), nn.Linear(32, 4)])


def test_dense_layers_without_room_for_an_activation_are_one_linear_layer(tmp_path):
    bare = nn.Sequential(nn.Linear(16, 32), nn.Linear(32, 32), nn.Linear(32, 4))
    found = check(tmp_path, bare, CHANCE).verdicts
    assert [(v.diagnosis, v.verdict) for v in found] == [("missing-nonlinearity", "suspected")]
    assert check(tmp_path, bare, LEARNS).verdicts == ()
    assert check(tmp_path, Listed(), CHANCE).verdicts == ()
    assert check(tmp_path, narrow(32), CHANCE).verdicts == ()
