"""The first loss against ln C."""

import numpy as np
from curves_on_disk import csv, head, look, said

from probes.checks.initial_loss import run

STEPS = np.arange(60)


def start(folder, loss, axis: str = "step"):
    csv(folder, **{axis: STEPS, "train_loss": loss, "train_acc": np.full(60, 0.12)})
    head(folder, 10)
    return look(run, folder)


def test_a_first_step_at_chance_rules_a_bad_start_out(tmp_path):
    found = start(tmp_path, np.linspace(2.31, 2.0, 60))
    assert said(found) == [("bad-initialization", "ruled_out")]
    assert found.title == "initial loss: 2.31 at step 0, 1 times chance"


def test_a_first_step_far_above_chance_is_suspected_where_the_run_stands(tmp_path):
    loss = np.concatenate([[60.0], np.full(59, 2.3)])
    assert said(start(tmp_path, loss)) == [("bad-initialization", "suspected"), ("unscaled-inputs", "suspected")]


def test_the_mean_of_a_first_epoch_accuses_nobody(tmp_path):
    loss = np.concatenate([[60.0], np.full(59, 2.3)])
    assert {level for _, level in said(start(tmp_path, loss, axis="epoch"))} == {"inconclusive"}


def test_a_start_far_below_chance_is_told_as_no_fresh_network(tmp_path):
    found = start(tmp_path, np.linspace(0.9, 1.5, 60))
    assert [v for _, v in said(found)] == ["inconclusive"]
    assert "trained before" in found.verdicts[0].because


def test_without_a_head_the_number_of_classes_is_asked_for(tmp_path):
    csv(tmp_path, step=STEPS, train_loss=np.linspace(2.3, 1, 60))
    assert look(run, tmp_path).status == "could-not-check"
