"""Training against validation from the first epoch on."""

import numpy as np
import pytest
from curves_on_disk import csv, head, look, said

from probes.checks.generalization_gap import run

EPOCHS = np.arange(1, 21)
LEARNS = 1 - 0.75 * 0.8**EPOCHS


def test_validation_a_little_better_throughout_is_told_and_not_accused(tmp_path):
    csv(
        tmp_path, epoch=EPOCHS, train_loss=1 - LEARNS + 0.3, train_acc=LEARNS - 0.05,
        val_loss=1 - LEARNS + 0.2, val_acc=LEARNS,
    )  # fmt: skip
    assert said(look(run, tmp_path)) == [("data-leakage", "inconclusive")]


def test_validation_far_better_throughout_is_suspected_unless_the_code_names_dropout(tmp_path):
    csv(
        tmp_path, epoch=EPOCHS, train_loss=1 - LEARNS + 0.4, train_acc=LEARNS - 0.2,
        val_loss=0.3 * (1 - LEARNS) + 0.05, val_acc=LEARNS,
    )  # fmt: skip
    assert ("data-leakage", "suspected") in said(look(run, tmp_path))
    (tmp_path / "train.py").write_text("model = Net(nn.Dropout(0.5))\nloss.backward()\noptimizer.step()\n")
    found = look(run, tmp_path)
    assert ("data-leakage", "inconclusive") in said(found)
    assert "names dropout" in found.verdicts[0].because


def test_validation_at_chance_from_the_first_epoch_is_told_from_overfitting(tmp_path):
    csv(
        tmp_path, epoch=EPOCHS, train_loss=2.3 * (1 - LEARNS), train_acc=LEARNS,
        val_loss=np.full(20, 2.4), val_acc=0.1 + 0.02 * np.sin(EPOCHS),
    )  # fmt: skip
    head(tmp_path, 10)
    assert said(look(run, tmp_path))[:2] == [("preprocessing-mismatch", "suspected"), ("train-eval-mode", "suspected")]


def test_ordinary_overfitting_is_not_this_probes_matter(tmp_path):
    csv(
        tmp_path, epoch=EPOCHS, train_loss=2.3 * (1 - LEARNS), train_acc=LEARNS,
        val_loss=np.linspace(2, 1.5, 20), val_acc=0.6 * LEARNS,
    )  # fmt: skip
    head(tmp_path, 10)
    assert said(look(run, tmp_path)) == []


@pytest.mark.parametrize(("size", "verdicts"), [(60, [("insufficient-data", "inconclusive")]), (1250, [])])
def test_the_size_of_the_validation_set_is_read_off_the_steps_of_its_accuracy(tmp_path, size, verdicts):
    random = np.random.default_rng(0)
    counts = random.binomial(size, 0.5 + 0.3 * LEARNS)
    csv(tmp_path, epoch=EPOCHS, train_acc=LEARNS, val_acc=[f"{c / size:.6f}" for c in counts])
    found = look(run, tmp_path)
    assert said(found) == verdicts
    assert next(m.value for m in found.measures if "samples" in m.name) == size


def test_accuracies_that_are_no_counts_give_no_size(tmp_path):
    random = np.random.default_rng(1)
    csv(tmp_path, epoch=EPOCHS, train_acc=LEARNS, val_acc=[f"{v:.6f}" for v in random.uniform(0.4, 0.6, 20)])
    assert not any("samples" in m.name for m in look(run, tmp_path).measures)


def against(folder, val_loss, accuracy, train_end: float = 0.2):
    """Training that learns, of 5 classes (chance: 1.61), and a validation that does not."""
    train = np.linspace(1.55, train_end, 12)
    csv(folder, epoch=np.arange(1, 13), train_loss=train, val_loss=val_loss, val_acc=accuracy)
    head(folder, 5)
    return [v for v in said(look(run, folder)) if v[1] == "suspected"]


def test_what_never_carries_over_is_told_apart_by_how_it_begins(tmp_path):
    low, mode = np.full(12, 0.23), ["preprocessing-mismatch", "train-eval-mode"]
    bad_from_the_start, ever_worse = np.linspace(3.2, 9, 12), np.linspace(1.61, 1.9, 12)
    assert [d for d, _ in against(tmp_path / "mode", bad_from_the_start, low)] == mode
    assert [d for d, _ in against(tmp_path / "labels", ever_worse, low - 0.03, 1.3)] == ["bad-labels"]
    assert against(tmp_path / "overfits", ever_worse, np.full(12, 0.45)) == []
    assert against(tmp_path / "underfits", np.full(12, 1.61), low, 1.54) == []
