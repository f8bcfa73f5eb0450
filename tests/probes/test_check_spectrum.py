"""Low rank is suspected in runs that do not learn, told in others; large files cost no more than the budget."""

import pytest
import torch
from torch import nn
from trained import mlp, training

from probes.checks.spectrum import look, run
from probes.discover import discover
from probes.saved.layers import depth

STUCK = "epoch,train_loss,train_acc\n" + "".join(f"{i},1.386,0.25\n" for i in range(1, 11))
LEARNS = "epoch,train_loss,train_acc\n" + "".join(f"{i},{1.4 / i},{1 - 0.5 / i}\n" for i in range(1, 11))


def quiet(fraction: float, text: str = "") -> None:
    pass


def copies(folder, log: str):
    """A net whose hidden units are two units, each copied many times."""
    torch.manual_seed(0)
    model = mlp(width=64)
    for layer in (model[0], model[2]):
        layer.weight.data = layer.weight.data[:2].repeat(32, 1)
    torch.save(model.state_dict(), folder / "weights.pt")
    (folder / "log.csv").write_text(log)
    return run(discover([folder]), quiet)


def test_units_that_started_as_copies_are_suspected_where_the_run_stands_still(tmp_path):
    found = copies(tmp_path, STUCK)
    assert [(v.diagnosis, v.verdict) for v in found.verdicts] == [("bad-initialization", "suspected")]
    assert "rank 2 of 64" in found.verdicts[0].because


def test_the_same_net_is_not_accused_where_it_learns(tmp_path):
    found = copies(tmp_path, LEARNS)
    assert found.verdicts == ()
    assert "low rank" in found.title


@pytest.mark.parametrize("act", [nn.ReLU, nn.Tanh])
def test_a_trained_net_has_full_rank_and_no_verdict(tmp_path, act):
    trained = training(tmp_path, mlp(act=act), lambda m: torch.optim.Adam(m.parameters(), 1e-2), 200)
    found = run(trained.artifacts, quiet)
    assert found.verdicts == ()
    assert all(row[3] == row[4] for row in found.tables[0].rows)


def test_pruned_rows_are_not_counted_as_lost_rank(tmp_path):
    torch.manual_seed(0)
    model = mlp(width=64)
    model[2].weight.data[4:] = 0
    torch.save(model.state_dict(), tmp_path / "weights.pt")
    (tmp_path / "log.csv").write_text(STUCK)
    assert run(discover([tmp_path]), quiet).verdicts == ()


def test_what_the_budget_does_not_reach_is_named(tmp_path):
    torch.save(mlp(width=64).state_dict(), tmp_path / "weights.pt")
    last = discover([tmp_path]).last
    assert last is not None
    seen = look(depth(last), quiet, budget=1e6)
    assert [s.why for s in seen].count("left out: the work is bounded") == 1
    assert seen[1].found is None  # the largest


def test_a_diverged_file_cannot_be_checked(tmp_path):
    state = {n: torch.full_like(p, torch.nan) for n, p in mlp().state_dict().items()}
    torch.save(state, tmp_path / "weights.pt")
    assert run(discover([tmp_path]), quiet).status == "could-not-check"
