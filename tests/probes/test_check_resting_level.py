"""Levels at which a loss or an accuracy rests only when something is wrong."""

import numpy as np
import pytest
import torch
from curves_on_disk import csv, head, look, said
from torch import nn

from probes.checks.resting_level import floor, run

EPOCHS = np.arange(1, 13)


def trained(twice: bool, classes: int = 5) -> tuple[list[float], list[float]]:
    """The losses and accuracies of a small classifier with its own softmax before cross_entropy's, or without."""
    torch.manual_seed(0)
    y = torch.arange(600) % classes
    x = 2.5 * nn.functional.one_hot(y, 8) + 0.5 * torch.randn(600, 8)
    model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, classes))
    optimizer, losses, right = torch.optim.Adam(model.parameters(), 0.01), [], []
    for _ in EPOCHS:
        for _ in range(25):
            scores = model(x)
            loss = nn.functional.cross_entropy(scores.softmax(1) if twice else scores, y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        losses.append(loss.item())
        right.append((scores.argmax(1) == y).float().mean().item())
    return losses, right


@pytest.mark.parametrize("twice", [True, False])
def test_a_loss_that_rests_on_the_floor_of_a_second_softmax_although_all_is_right(tmp_path, twice):
    losses, right = trained(twice)
    csv(tmp_path, epoch=EPOCHS, train_loss=losses, train_acc=right)
    head(tmp_path, 5)
    found = look(run, tmp_path)
    assert said(found) == ([("loss-output-mismatch", "suspected")] if twice else [])
    assert not twice or f"{floor(5):.4g}" in found.verdicts[0].because


def test_a_loss_at_that_level_with_few_right_is_only_a_loss(tmp_path):
    csv(tmp_path, epoch=EPOCHS, train_loss=np.linspace(1.6, 0.91, 12), train_acc=np.linspace(0.2, 0.55, 12))
    head(tmp_path, 5)
    assert said(look(run, tmp_path)) == []


def test_a_loss_that_is_still_on_its_way_down_is_not_at_rest(tmp_path):
    csv(tmp_path, epoch=EPOCHS, train_loss=np.linspace(2.3, 1.61, 12), train_acc=np.linspace(0.1, 0.85, 12))
    head(tmp_path, 10)
    assert said(look(run, tmp_path)) == []


def answers(folder, accuracy, val_loss) -> list[tuple[str, str]]:
    csv(folder, epoch=EPOCHS, train_loss=np.geomspace(0.4, 0.1, 12), val_loss=val_loss, val_acc=accuracy)
    return said(look(run, folder))


def test_an_accuracy_that_never_changes_while_the_loss_moves_is_one_answer_for_all(tmp_path):
    moving = np.geomspace(0.2, 0.11, 12)
    assert answers(tmp_path / "same", [0.9786] * 12, moving) == [("collapsed-output", "suspected")]
    assert answers(tmp_path / "moves", [0.9786] * 11 + [0.9814], moving) == []
    assert answers(tmp_path / "perfect", [1.0] * 12, moving) == []
    assert answers(tmp_path / "nothing moves", [0.2267] * 12, np.full(12, 1.609)) == []


def test_without_an_accuracy_there_is_nothing_to_hold_the_level_against(tmp_path):
    csv(tmp_path, epoch=EPOCHS, train_loss=np.full(12, 1.46))
    assert look(run, tmp_path).status == "could-not-check"


def raw_scores(target: torch.Tensor, loss) -> tuple[list[float], list[float]]:
    """The losses and accuracies of a small net whose scores go into a loss that expects something else."""
    torch.manual_seed(0)
    x = torch.randn(400, 8)
    model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 4))
    optimizer, losses, right = torch.optim.Adam(model.parameters(), 0.01), [], []
    for _ in EPOCHS:
        for _ in range(30):
            value = loss(model(x), target)
            optimizer.zero_grad()
            value.backward()
            optimizer.step()
        losses.append(value.item())
        right.append((model(x).argmax(1) == target).float().mean().item())
    return losses, right


def test_a_classifiers_loss_that_falls_below_zero_without_bound_got_raw_scores(tmp_path):
    losses, right = raw_scores(torch.randint(0, 4, (400,)), nn.functional.nll_loss)
    csv(tmp_path, epoch=EPOCHS, train_loss=losses, train_acc=right)
    head(tmp_path, 4)
    found = look(run, tmp_path)
    assert said(found) == [("loss-output-mismatch", "suspected")]
    assert "raw scores" in found.verdicts[0].because


@pytest.mark.parametrize(
    ("loss", "accuracy"),
    [
        (-3.0 * np.log(EPOCHS), np.full(12, 0.3)),  # a density that sharpens: slower and slower
        (-np.linspace(0.1, 0.98, 12), np.full(12, 0.3)),  # a similarity
        (-20.0 * EPOCHS, np.linspace(0.3, 0.9, 12)),  # the answers get right
        (np.linspace(1.4, 0.1, 12), np.full(12, 0.3)),
    ],
)
def test_other_negative_losses_are_left_alone(tmp_path, loss, accuracy):
    csv(tmp_path, epoch=EPOCHS, train_loss=loss, train_acc=accuracy + 0.01 * np.sin(EPOCHS))
    head(tmp_path, 4)
    assert said(look(run, tmp_path)) == []
