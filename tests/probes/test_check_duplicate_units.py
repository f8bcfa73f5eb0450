"""Layers whose units are copies; layers whose units differ are left alone."""

import pytest
import torch
from torch import nn
from trained import mlp, tables

from probes.checks.duplicate_units import run
from probes.discover import discover
from probes.finding import Finding


def probe(folder) -> Finding:
    return run(discover([folder]), lambda fraction, text="": None)


def stuck_log(folder) -> None:
    lines = "".join(f"{i},1.386,0.25\n" for i in range(1, 11))
    (folder / "log.csv").write_text("epoch,train_loss,train_acc\n" + lines)


def cells(found: Finding, layer: str) -> dict[str, object]:
    table = found.tables[0]
    return next(dict(zip(table.columns, row, strict=True)) for row in table.rows if row[0] == layer)


def test_a_net_that_started_with_all_weights_equal_is_one_unit_wide_after_training_too(tmp_path):
    torch.manual_seed(0)
    model, (x, y) = mlp(depth=3), tables()
    for layer in model:
        if isinstance(layer, nn.Linear):
            nn.init.constant_(layer.weight, 0.1)
            nn.init.zeros_(layer.bias)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(30):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
    torch.save(model.state_dict(), tmp_path / "model.pt")
    found = probe(tmp_path)
    assert [(v.diagnosis, v.verdict) for v in found.verdicts] == [("bad-initialization", "suspected")]
    assert cells(found, "2") == {
        "layer": "2",
        "units": 32,
        "distinct": 1,
        "copies": 31,
        "nearly parallel": 32,
        "all zero": 0,
    }
    stuck_log(tmp_path)
    assert probe(tmp_path).verdicts[0].verdict == "confirmed"


@pytest.mark.parametrize("width", [8, 300])
def test_copies_are_counted_whatever_their_place_and_factors_of_one_another_are_only_told(tmp_path, width):
    torch.manual_seed(1)
    model = nn.Sequential(nn.Linear(12, width), nn.ReLU(), nn.Linear(width, 2))
    with torch.no_grad():
        for a, b in ((0, 5), (2, 7)):
            model[0].weight[b], model[0].bias[b] = model[0].weight[a], model[0].bias[a]
        model[0].weight[3], model[0].bias[3] = 2 * model[0].weight[1], 2 * model[0].bias[1]
    torch.save(model.state_dict(), tmp_path / "model.pt")
    found = probe(tmp_path)
    row = cells(found, "0")
    assert (row["copies"], row["nearly parallel"]) == (2, 6)
    assert found.verdicts == ()


def test_units_with_the_same_weights_and_other_biases_are_no_copies_unless_a_norm_makes_the_bias_void(tmp_path):
    for norm, copies in ((False, 0), (True, 15)):
        torch.manual_seed(2)
        middle = [nn.BatchNorm1d(16)] if norm else []
        model = nn.Sequential(nn.Linear(9, 16), *middle, nn.ReLU(), nn.Linear(16, 2))
        nn.init.constant_(model[0].weight, 0.3)
        torch.save(model.state_dict(), tmp_path / "model.pt")
        assert cells(probe(tmp_path), "0")["copies"] == copies


def test_pruned_units_are_no_copies_of_one_another(tmp_path):
    model = nn.Sequential(nn.Linear(9, 16), nn.ReLU(), nn.Linear(16, 2))
    with torch.no_grad():
        model[0].weight[:12] = 0
        model[0].bias[:12] = 0
    torch.save(model.state_dict(), tmp_path / "model.pt")
    row = cells(probe(tmp_path), "0")
    assert (row["all zero"], row["distinct"], row["copies"]) == (12, 4, 0)


def test_large_layers_are_only_read_again_where_sums_coincide(tmp_path):
    torch.manual_seed(3)
    model = nn.Sequential(nn.Linear(2200, 2200), nn.ReLU(), nn.Linear(2200, 2))
    with torch.no_grad():
        model[0].weight[77], model[0].bias[77] = model[0].weight[5], model[0].bias[5]
    torch.save(model.state_dict(), tmp_path / "model.pt")
    row = cells(probe(tmp_path), "0")
    assert (row["copies"], row["nearly parallel"]) == (1, None)
