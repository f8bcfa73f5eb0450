"""The scale of the inputs, from the optimizer's state alone, against the data that were really used."""

import numpy as np
import pytest
import torch
from torch import nn
from trained import Trained, mlp, tables, training

from probes.checks.input_scale import inputs, run

MAKERS = {
    "adam": lambda m: torch.optim.Adam(m.parameters(), lr=1e-3),
    "adamw": lambda m: torch.optim.AdamW(m.parameters(), lr=1e-3, weight_decay=0.05),
    "rmsprop": lambda m: torch.optim.RMSprop(m.parameters(), lr=3e-4),
}


def made(folder, scale: torch.Tensor, optimizer: str = "adam", steps: int = 300) -> Trained:
    torch.manual_seed(0)
    x, y = tables()
    return training(folder, mlp(), MAKERS[optimizer], steps, data=(x / x.std(0) * scale, y))


def said(trained: Trained, learned: bool | None = None) -> list[str]:
    (trained.folder / "log.csv").unlink(missing_ok=True)
    if learned is not None:
        ends = (1.4, 0.1) if learned else (1.4, 1.39)
        rows = "".join(f"{i},{np.linspace(*ends, 10)[i - 1]}\n" for i in range(1, 11))
        (trained.folder / "log.csv").write_text("epoch,train_loss\n" + rows)
    return [v.verdict for v in run(trained.artifacts, lambda fraction, text="": None).verdicts]


@pytest.mark.parametrize("optimizer", MAKERS)
def test_the_estimate_is_close_to_the_true_scale_of_every_feature(tmp_path, optimizer):
    scale = torch.logspace(-1, 1, 16)
    trained = made(tmp_path, scale, optimizer)
    found, why = inputs(trained.artifacts.last)
    assert why == ""
    fold = found.scales / trained.x.square().mean(0).sqrt().numpy()
    assert np.exp(np.median(np.abs(np.log(fold)))) < 1.4


def test_scaled_inputs_are_cleared(tmp_path):
    trained = made(tmp_path, torch.ones(16))
    assert said(trained, learned=True) == ["ruled_out"]
    assert said(trained) == ["inconclusive"]  # without a log it may be a regression on large targets


def test_inputs_that_were_never_scaled_are_judged_by_whether_the_run_learns(tmp_path):
    trained = made(tmp_path, 100 * torch.ones(16))
    assert said(trained) == ["suspected"]
    assert said(trained, learned=False) == ["confirmed"]
    assert said(trained, learned=True) == ["inconclusive"]


def test_one_feature_far_above_the_others_is_suspected(tmp_path):
    scale = 0.5 * torch.ones(16)
    scale[3] = 50.0
    trained = made(tmp_path, scale)
    assert said(trained) == ["suspected"]
    table = run(trained.artifacts, lambda fraction, text="": None).tables[0]
    assert table.rows[0][0] == 3


def test_a_few_enormous_features_are_told_from_a_bias_without_gradient(tmp_path):
    scale = torch.ones(16)
    scale[3] = 4000.0
    assert said(made(tmp_path, scale), learned=False) == ["confirmed"]
    assert said(made(tmp_path, 4000 * torch.ones(16)), learned=False) == ["inconclusive"]


def test_a_feature_that_is_always_zero_is_counted_and_not_judged(tmp_path):
    scale = torch.ones(16)
    scale[5] = 0.0
    trained = made(tmp_path, scale)
    assert said(trained, learned=True) == ["ruled_out"]
    found = run(trained.artifacts, lambda fraction, text="": None)
    assert {m.name: m.value for m in found.measures}["features that were 0 at every step"] == 1


@pytest.mark.parametrize(("decay", "judged"), [(1e-4, True), (10.0, False)])
def test_decay_that_may_lie_in_the_gradients_matters_only_where_it_is_large(tmp_path, decay, judged):
    """Without the flag of newer files Adam with a decay is not told from AdamW."""
    torch.manual_seed(0)
    x, y = tables()
    make = lambda m: torch.optim.AdamW(m.parameters(), lr=1e-3, weight_decay=decay)  # noqa: E731
    trained = training(tmp_path, mlp(), make, 300, data=(100 * x, y))
    path = max(tmp_path.glob("*.pt"))
    state = torch.load(path)
    del state["optimizer"]["param_groups"][0]["decoupled_weight_decay"]
    torch.save(state, path)
    found, why = inputs(trained.artifacts.last)
    assert (found is not None) is judged
    assert judged or "may be mixed" in why


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda m: torch.optim.SGD(m.parameters(), lr=0.05, momentum=0.9), "squared gradients"),
        (lambda m: torch.optim.Adam(m.parameters(), weight_decay=0.1), "coupled weight decay"),
    ],
)
def test_what_cannot_be_told_is_said(train, make, why):
    found = run(train(mlp(), make, steps=60).artifacts, lambda fraction, text="": None)
    assert found.status == "could-not-check"
    assert why in found.title


@pytest.mark.parametrize(
    "begins", [(nn.BatchNorm1d(16), nn.Linear(16, 8)), (nn.Linear(16, 8), nn.BatchNorm1d(8))], ids=["before", "after"]
)
def test_a_normalisation_next_to_the_first_layer_forbids_the_estimate(train, begins):
    model = nn.Sequential(*begins, nn.ReLU(), nn.Linear(8, 4))
    found = run(train(model, MAKERS["adam"], steps=60).artifacts, lambda fraction, text="": None)
    assert found.status == "could-not-check"
    assert "normalisation" in found.title
