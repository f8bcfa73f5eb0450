"""Real target files: losses that do not fit what they are given, and look-alikes that do."""

from pathlib import Path

import pytest

from probes.checks.loss_and_outputs import run
from probes.discover import discover
from probes.finding import Finding

HEAD = """import torch
import torch.nn.functional as F
from torch import nn

def normal(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1))

def classes(count, *shape):
    return torch.randint(0, count, shape, generator=torch.Generator().manual_seed(2))

"""


def probe(folder: Path, model: str, loss: str, data: str) -> Finding:
    target = folder / "model.py"
    body = f"def build_model():\n    return {model}\n\nloss_fn = {loss}\n\ndef load_batch():\n    return {data}\n"
    target.write_text(HEAD + body)
    return run(discover([folder], target=target), lambda fraction, text="": None)


def said(finding: Finding) -> dict[str, str]:
    return {v.diagnosis: v.verdict for v in finding.verdicts}


def because(finding: Finding, diagnosis: str) -> str:
    return next(v.because for v in finding.verdicts if v.diagnosis == diagnosis)


@pytest.mark.parametrize("loss", ["nn.MSELoss()", "nn.SmoothL1Loss()", "lambda o, t: ((o - t) ** 2).mean()"])
def test_a_column_of_outputs_against_a_row_of_targets_compares_all_pairs(tmp_path, loss):
    found = probe(tmp_path, "nn.Linear(5, 1)", loss, "(normal(32, 5), normal(32))")
    assert said(found)["silent-broadcasting"] == "confirmed"
    assert next(v.kind for v in found.verdicts) == "proved"
    assert "(32, 32)" in because(found, "silent-broadcasting")
    assert "pair by pair it would be" in because(found, "silent-broadcasting")


@pytest.mark.parametrize(
    ("model", "loss", "data"),
    [
        ("nn.Linear(5, 1)", "nn.MSELoss()", "(normal(32, 5), normal(32, 1))"),
        ("nn.Linear(5, 1)", "lambda o, t: F.mse_loss(o.squeeze(1), t)", "(normal(32, 5), normal(32))"),
        ("nn.Linear(5, 3)", "nn.MSELoss()", "(normal(32, 5), normal(32, 1))"),
        ("nn.Linear(5, 1)", "nn.MSELoss()", "(normal(32, 5), normal(32, 1) * 1e-4)"),
        ("nn.Sequential(nn.Linear(5, 1), nn.Sigmoid())", "nn.BCELoss()", "(normal(32, 5), classes(2, 32, 1).float())"),
        ("nn.Linear(5, 4)", "nn.BCEWithLogitsLoss()", "(normal(32, 5), F.one_hot(classes(4, 32), 4).float())"),
        ("nn.Linear(5, 4)", "nn.CrossEntropyLoss()", "(normal(32, 5), F.one_hot(classes(4, 32), 4).float())"),
        ("nn.Linear(5, 4)", "nn.MultiMarginLoss()", "(normal(32, 5), classes(4, 32))"),
        ("nn.Sequential(nn.Linear(5, 4), nn.Softmax(1))", "nn.MultiMarginLoss()", "(normal(32, 5), classes(4, 32))"),
        ("nn.Linear(5, 1)", "nn.SoftMarginLoss()", "(normal(32, 5), 2.0 * classes(2, 32, 1) - 1)"),
        ("nn.Sequential(nn.Linear(5, 4), nn.LogSoftmax(1))", "nn.NLLLoss()", "(normal(32, 5), classes(4, 32))"),
        ("nn.Linear(5, 4)", "nn.CrossEntropyLoss(label_smoothing=0.1)", "(normal(32, 5), classes(4, 32))"),
        ("nn.Linear(5, 3)", "nn.CrossEntropyLoss(weight=torch.tensor([1.0, 9, 2]))", "(normal(32, 5), classes(3, 32))"),
        ("nn.Linear(5, 4)", "nn.CrossEntropyLoss()", "(normal(32, 5), classes(4, 32).where(normal(32) > 0, -100))"),
        (
            "nn.Linear(5, 4)",
            "lambda o, t: F.cross_entropy(o.transpose(1, 2), t)",
            "(normal(8, 6, 5), classes(4, 8, 6))",
        ),
        (
            "nn.Linear(5, 4)",
            "lambda o, t: F.cross_entropy(o.view(-1, 4), t.view(-1))",
            "(normal(8, 6, 5), classes(4, 8, 6))",
        ),
        ("nn.Conv2d(3, 4, 1)", "nn.CrossEntropyLoss()", "(normal(4, 3, 6, 6), classes(4, 4, 6, 6))"),
        (
            "nn.Sequential(nn.Linear(5, 4), nn.Softmax(1))",
            "lambda o, t: F.nll_loss(o.log(), t)",
            "(normal(32, 5), classes(4, 32))",
        ),
        ("nn.Sequential(nn.Linear(5, 1), nn.Sigmoid())", "nn.MSELoss()", "(normal(32, 5), normal(32, 1).sigmoid())"),
        (
            "nn.Linear(5, 4)",
            "lambda o, t: F.kl_div(o.log_softmax(1), t, reduction='batchmean')",
            "(normal(32, 5), normal(32, 4).softmax(1))",
        ),
        (
            "nn.Linear(5, 4)",
            "lambda o, t: F.cross_entropy(F.normalize(o) @ F.normalize(o).T / 0.1, torch.arange(len(o)))",
            "(normal(32, 5), classes(4, 32))",
        ),
    ],
)
def test_losses_that_fit_are_not_accused(tmp_path, model, loss, data):
    found = probe(tmp_path, model, loss, data)
    assert found.status == "done"
    assert set(said(found).values()) <= {"ruled_out"}


def test_a_loss_that_compares_distributions_is_suspected_at_most(tmp_path):
    means = "lambda o, t: (o.mean(0) - t.mean(0)).square().sum() + (o.var(0) - t.var(0)).square().sum()"
    found = probe(tmp_path, "nn.Linear(5, 2)", means, "(normal(32, 5), normal(32, 2))")
    assert said(found)["silent-broadcasting"] == "suspected"


@pytest.mark.parametrize(
    ("model", "loss", "data", "words"),
    [
        (
            "nn.Sequential(nn.Linear(5, 10), nn.Softmax(1))",
            "nn.CrossEntropyLoss()",
            "(normal(32, 5), classes(10, 32))",
            "cross_entropy applies softmax again: with outputs in 0..1 the loss cannot fall below 1.46",
        ),
        (
            "nn.Sequential(nn.Linear(5, 1), nn.Sigmoid())",
            "nn.BCEWithLogitsLoss()",
            "(normal(32, 5), torch.ones(32, 1))",
            "cannot fall below 0.313",
        ),
        (
            "nn.Sequential(nn.Linear(5, 4), nn.Sigmoid(), nn.Flatten())",
            "lambda o, t: F.cross_entropy(o.clone(), t)",
            "(normal(32, 5), classes(4, 32))",
            "through sigmoid",
        ),
        (
            "nn.Sequential(nn.Linear(5, 4), nn.Softmax(1))",
            "nn.NLLLoss()",
            "(normal(32, 5), classes(4, 32))",
            "the probabilities themselves",
        ),
        ("nn.Linear(5, 4)", "nn.NLLLoss()", "(normal(32, 5), classes(4, 32))", "logarithms"),
        (
            "nn.Sequential(nn.Linear(5, 4), nn.LogSoftmax(0))",
            "nn.NLLLoss()",
            "(normal(32, 5), classes(4, 32))",
            "per sample, not to 1",
        ),
        ("nn.Linear(5, 4)", "nn.CrossEntropyLoss()", "(normal(32, 5), classes(4, 32) + 1)", "subtract 1"),
        ("nn.Linear(5, 3)", "nn.CrossEntropyLoss()", "(normal(32, 5), classes(4, 32))", "needs 4 outputs"),
        ("nn.Linear(5, 1)", "nn.BCELoss()", "(normal(32, 5), classes(2, 32, 1).float())", "expects probabilities"),
        (
            "nn.Linear(5, 1)",
            "nn.BCEWithLogitsLoss()",
            "(normal(32, 5), 2.0 * classes(2, 32, 1) - 1)",
            "targets in 0..1",
        ),
        ("nn.Linear(5, 1)", "nn.SoftMarginLoss()", "(normal(32, 5), classes(2, 32, 1).float())", "-1 and 1"),
        ("nn.Linear(5, 1)", "nn.CrossEntropyLoss()", "(normal(32, 5), classes(2, 32, 1).float())", "single column"),
        (
            "nn.Sequential(nn.Linear(5, 1), nn.Sigmoid())",
            "nn.MSELoss()",
            "(normal(32, 5), 20 + normal(32, 1))",
            "100% of the targets",
        ),
    ],
)
def test_what_breaks_the_expectation_of_a_loss_is_confirmed_with_its_numbers(tmp_path, model, loss, data, words):
    found = probe(tmp_path, model, loss, data)
    assert said(found)["loss-output-mismatch"] == "confirmed"
    assert words in because(found, "loss-output-mismatch")


def test_logarithms_of_probabilities_before_cross_entropy_are_called_harmless(tmp_path):
    model = "nn.Sequential(nn.Linear(5, 4), nn.LogSoftmax(1))"
    found = probe(tmp_path, model, "nn.CrossEntropyLoss()", "(normal(32, 5), classes(4, 32))")
    assert said(found)["loss-output-mismatch"] == "ruled_out"
    assert "harmless" in because(found, "loss-output-mismatch")


def test_a_loss_that_fails_is_one_sentence_with_both_shapes(tmp_path):
    found = probe(tmp_path, "nn.Linear(5, 4)", "nn.MSELoss()", "(normal(32, 5), normal(32, 3))")
    assert said(found) == {"loss-output-mismatch": "suspected"}
    assert "(32, 4) float32" in because(found, "loss-output-mismatch")


@pytest.mark.parametrize("pair", ["normal(32, 5), {'a': normal(32)}", "normal(32, 5), [normal(32), 'name']"])
def test_targets_that_are_no_tensor_are_not_judged(tmp_path, pair):
    found = probe(tmp_path, "nn.Linear(5, 1)", "lambda o, t: o.square().mean()", pair)
    assert found.verdicts == ()
    assert "one tensor" in found.needs


def test_a_target_file_that_fails_is_one_sentence(tmp_path):
    found = probe(tmp_path, "nn.Linear(4, 1)", "nn.MSELoss()", "(normal(32, 5), normal(32))")
    assert found.status == "could-not-check"
    assert "forward pass failed" in found.needs


def test_a_loss_that_ignores_its_targets_or_draws_random_numbers_is_not_judged(tmp_path):
    noisy = "lambda o, t, calls=[]: (o.squeeze() - t).square().mean() * (calls.append(0) or len(calls))"
    for loss in (noisy, "lambda o, t: (o + 0 * t).square().mean()", "lambda o, t: o.sum() * 0 + 1"):
        assert said(probe(tmp_path, "nn.Linear(5, 1)", loss, "(normal(32, 5), normal(32))")) == {}


def test_a_loss_that_is_no_tensor_is_not_blamed_on_its_outputs(tmp_path):
    found = probe(tmp_path, "nn.Linear(5, 1)", "lambda o, t: 3.0", "(normal(32, 5), normal(32))")
    assert found.status == "could-not-check"
    assert "returned no number" in found.needs
