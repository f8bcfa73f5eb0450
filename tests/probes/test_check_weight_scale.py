"""Starts at a wrong scale, layers whose units are all one, and untouched layers; healthy nets left alone."""

import pytest
import torch
from torch import nn
from trained import mlp, tables, training

from probes.checks.weight_scale import run
from probes.discover import discover


def said(artifacts) -> list[tuple[str, str]]:
    found = run(artifacts, lambda fraction, text="": None)
    return [(v.diagnosis, v.verdict) for v in found.verdicts]


def adam(m: nn.Module, lr: float = 1e-3) -> torch.optim.Optimizer:
    return torch.optim.Adam(m.parameters(), lr=lr)


def start(how: str) -> nn.Module:
    torch.manual_seed(0)
    model = mlp(depth=3)
    for layer in model:
        if isinstance(layer, nn.Linear):
            {
                "default": lambda w: w,
                "he": nn.init.kaiming_normal_,
                "xavier": nn.init.xavier_uniform_,
                "normal": lambda w: nn.init.normal_(w, 0, 3.0),
                "constant": lambda w: nn.init.constant_(w, 0.1),
            }[how](layer.weight)
    return model


@pytest.mark.parametrize("how", ["default", "he", "xavier"])
@pytest.mark.parametrize("lr", [1e-3, 2e-2])
def test_usual_initialisations_are_not_accused(tmp_path, how, lr):
    assert said(training(tmp_path, start(how), lambda m: adam(m, lr), 200).artifacts) == []


def test_a_start_far_too_large_is_found_where_the_run_does_not_learn(tmp_path):
    x, _ = tables()
    y = torch.randint(0, 4, (len(x),))  # nothing to learn, so that the run stays where it is
    trained = training(tmp_path, start("normal"), lambda m: adam(m, 1e-4), 200, data=(x, y))
    (tmp_path / "log.csv").write_text("epoch,train_loss,train_acc\n" + "".join(f"{i},400,0.25\n" for i in range(1, 11)))
    assert said(trained.artifacts)[0][0] == "bad-initialization"


def test_the_same_start_is_told_and_not_accused_where_the_run_learns(tmp_path):
    trained = training(tmp_path, start("normal"), adam, 200)
    lines = "".join(f"{i},{2 / i},{1 - 0.5 / i}\n" for i in range(1, 11))
    (tmp_path / "log.csv").write_text("epoch,train_loss,train_acc\n" + lines)
    assert said(trained.artifacts) == [("bad-initialization", "inconclusive")]


def test_a_hidden_layer_at_its_random_start_beside_trained_ones_is_suspected(tmp_path):
    trained = training(tmp_path, start("default"), lambda m: adam(m, 1e-2), 200)
    torch.manual_seed(9)
    trained.model[2].reset_parameters()
    folder = tmp_path / "later"
    folder.mkdir()
    torch.save(trained.model.state_dict(), folder / "weights.pt")
    assert said(discover([folder])) == [("frozen-parameters", "suspected")]


def test_a_net_saved_before_training_is_called_that(tmp_path):
    torch.save(start("default").state_dict(), tmp_path / "weights.pt")
    found = run(discover([tmp_path]), lambda fraction, text="": None)
    assert [(v.verdict) for v in found.verdicts] == ["inconclusive"]
    assert "before any training" in found.verdicts[0].because


def test_pruned_layers_are_told_and_not_judged(tmp_path):
    trained = training(tmp_path, start("he"), adam, 100)
    trained.model[2].weight.data.zero_()
    folder = tmp_path / "later"
    folder.mkdir()
    torch.save(trained.model.state_dict(), folder / "weights.pt")
    assert said(discover([folder])) == []


def test_a_random_copy_beside_a_trained_network_may_be_its_target(tmp_path):
    trained = training(tmp_path, start("default"), lambda m: adam(m, 1e-2), 200)
    both = nn.ModuleDict({"online": trained.model, "target": start("default")})
    folder = tmp_path / "later"
    folder.mkdir()
    torch.save(both.state_dict(), folder / "weights.pt")
    assert said(discover([folder])) == [("frozen-parameters", "inconclusive")]


def test_a_start_far_too_large_is_found_behind_as_many_steps_as_a_run_takes(tmp_path):
    """The exact bound of Adam's steps says nothing after 133 of them; their usual reach does."""
    trained = training(tmp_path, start("normal"), lambda m: adam(m, 4e-3), 400)
    y = [400 * 0.9**i for i in range(20)]
    (tmp_path / "log.csv").write_text("epoch,train_loss\n" + "".join(f"{i},{v}\n" for i, v in enumerate(y, 1)))
    (found,) = run(trained.artifacts, lambda fraction, text="": None).verdicts
    assert (found.verdict, found.kind) == ("suspected", "inferred")  # a loss of 54 is 39 times ln 4
    assert "times chance if it is a cross-entropy over 4 classes" in found.because


@pytest.mark.parametrize(("factor", "verdicts"), [(30.0, ["inconclusive"]), (1 / 30, ["inconclusive"]), (3.0, [])])
def test_weights_out_of_scale_whose_start_is_not_known_are_told(tmp_path, factor, verdicts):
    state = {n: factor * (t + 0.02 * torch.randn_like(t)) for n, t in start("he").state_dict().items()}
    torch.save(state, tmp_path / "weights.pt")
    found = run(discover([tmp_path]), lambda fraction, text="": None).verdicts
    assert [v.verdict for v in found if v.diagnosis == "bad-initialization"] == verdicts


def test_random_layers_are_judged_once_where_the_optimizer_tells_of_each(tmp_path):
    model = mlp(depth=3)
    model[0].weight.requires_grad_(False)
    named = lambda m: torch.optim.Adam([(n, p) for n, p in m.named_parameters() if p.requires_grad])  # noqa: E731
    trained = training(tmp_path, model, named, 200)
    (tmp_path / "log.csv").unlink()
    assert said(trained.artifacts) == []
