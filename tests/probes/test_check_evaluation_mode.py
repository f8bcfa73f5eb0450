"""Runs that really trained and validated in one mode or the other, and what their logs say of it."""

import csv
from pathlib import Path

import pytest
import torch
from torch import nn
from trained import tables

from probes.checks.evaluation_mode import run
from probes.discover import discover
from probes.finding import Finding

DROPOUT = "nn.Sequential(nn.Linear(16, 64), nn.ReLU(), nn.Dropout({p}), nn.Linear(64, 4))"
NORM = "nn.Sequential(nn.Linear(16, 64), nn.BatchNorm1d(64, momentum=0.01), nn.ReLU(), nn.Linear(64, 4))"
TARGET = """import torch
import torch.nn.functional as F
from torch import nn

class Forgetful(nn.Module):
    def __init__(self, **told):
        super().__init__()
        self.told = told
        self.first, self.last = nn.Linear(16, 64), nn.Linear(64, 4)

    def forward(self, x):
        return self.last(F.dropout(self.first(x).relu(), 0.5, **self.told))

def build_model():
    return MODEL

loss_fn = nn.CrossEntropyLoss()

def load_batch():
    data = torch.load("train.pt")
    return data["x"][:32], data["y"][:32]
"""


def probe(folder: Path, model: str, validate_in: str = "eval", train_in: str = "train", size: int = 64) -> Finding:
    """Train for six epochs, validate after each in a mode, log six digits, save three checkpoints."""
    text = TARGET.replace("MODEL", model)
    (folder / "model.py").write_text(text)
    names: dict[str, object] = {}
    exec(text, names)
    torch.manual_seed(0)
    net = eval(model, names)
    x, y = tables(2000)
    torch.save({"x": x[:600], "y": y[:600]}, folder / "train.pt")
    torch.save({"x": x[600:], "y": y[600:]}, folder / "val.pt")
    optimizer, loss_fn = torch.optim.Adam(net.parameters(), lr=3e-3), nn.CrossEntropyLoss()
    with (folder / "log.csv").open("w", newline="") as file:
        log = csv.writer(file)
        log.writerow(["epoch", "train_loss", "val_loss"])
        for epoch in range(1, 7):
            net.train(train_in == "train")
            total = 0.0
            for rows in torch.randperm(600).split(32):
                optimizer.zero_grad()
                loss = loss_fn(net(x[rows]), y[rows])
                loss.backward()
                optimizer.step()
                total += loss.item() * len(rows) / 600
            net.train(validate_in == "train")
            with torch.no_grad():
                val = sum(
                    loss_fn(net(a), b).item() * len(a)
                    for a, b in zip(x[600:].split(size), y[600:].split(size), strict=True)
                )
            log.writerow([epoch, f"{total:.6g}", f"{val / 1400:.6g}"])
            if epoch % 2 == 0:
                torch.save({"epoch": epoch, "model": net.state_dict()}, folder / f"ckpt_{epoch}.pt")
    return run(discover([folder], target=folder / "model.py"), lambda fraction, text="": None)


def said(finding: Finding) -> list[tuple[str, str]]:
    return [(v.diagnosis, v.verdict) for v in finding.verdicts]


@pytest.mark.parametrize("model", [DROPOUT.format(p=0.6), NORM])
def test_validation_in_training_mode_is_confirmed_with_both_losses(tmp_path, model):
    found = probe(tmp_path, model, validate_in="train")
    assert said(found) == [("train-eval-mode", "confirmed")]
    assert "in evaluation mode and" in found.verdicts[0].because


@pytest.mark.parametrize("model", [DROPOUT.format(p=0.6), DROPOUT.format(p=0.05), NORM])
def test_validation_in_evaluation_mode_is_recognised_to_the_last_digit(tmp_path, model):
    assert said(probe(tmp_path, model)) == [("train-eval-mode", "ruled_out")]


def test_training_that_stayed_in_evaluation_mode_is_confirmed(tmp_path):
    found = probe(tmp_path, DROPOUT.format(p=0.6), train_in="eval")
    assert said(found) == [("train-eval-mode", "confirmed")]
    assert "the log's training loss" in found.verdicts[0].because


@pytest.mark.parametrize("model", [DROPOUT.format(p=0.0), "nn.Linear(16, 4)"])
def test_a_model_that_is_the_same_in_both_modes_has_nothing_to_forget(tmp_path, model):
    found = probe(tmp_path, model, validate_in="train")
    assert not found.applies
    assert found.verdicts == ()


def test_dropout_that_does_not_follow_the_mode_is_seen_in_its_call(tmp_path):
    found = probe(tmp_path, "Forgetful()")
    assert said(found) == [("train-eval-mode", "confirmed")]
    assert "training=self.training" in found.verdicts[0].because


def test_dropout_that_was_told_to_drop_may_be_meant_so(tmp_path):
    found = probe(tmp_path, "Forgetful(training=True)")
    assert said(found) == [("train-eval-mode", "suspected")]


def test_a_log_that_is_neither_mode_is_inconclusive(tmp_path):
    probe(tmp_path, DROPOUT.format(p=0.6))
    torch.save(
        {"x": 3 + torch.load(tmp_path / "val.pt")["x"], "y": torch.load(tmp_path / "val.pt")["y"]}, tmp_path / "val.pt"
    )
    found = run(discover([tmp_path], target=tmp_path / "model.py"), lambda fraction, text="": None)
    assert said(found) == [("train-eval-mode", "inconclusive")]
    assert "neither" in found.verdicts[0].because


def test_without_validation_data_it_says_what_it_needs(tmp_path):
    probe(tmp_path, DROPOUT.format(p=0.6))
    (tmp_path / "val.pt").unlink()
    found = run(discover([tmp_path], target=tmp_path / "model.py"), lambda fraction, text="": None)
    assert found.status == "could-not-check"
    assert "val.pt" in found.needs


def test_the_weights_and_statistics_of_the_person_stay_as_they_were(tmp_path):
    probe(tmp_path, NORM)
    before = (tmp_path / "ckpt_6.pt").read_bytes()
    run(discover([tmp_path], target=tmp_path / "model.py"), lambda fraction, text="": None)
    assert (tmp_path / "ckpt_6.pt").read_bytes() == before
