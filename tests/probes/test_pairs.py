"""Checkpoints entry by entry: the same numbers as a naive comparison, and tensors of one name side by side."""

import math

import numpy as np
import pytest
import torch

from probes.discover import discover
from probes.saved import pairs, statistics


def saved(folder, *models: dict[str, torch.Tensor]):
    for step, model in enumerate(models):
        torch.save({"model": model | {"other.weight": torch.ones(2, 2)}, "step": step}, folder / f"{step}.pt")
    return discover([folder]).checkpoints


@pytest.mark.parametrize("block", [7, 1 << 19])
def test_a_gap_is_that_of_a_naive_comparison(tmp_path, block, monkeypatch):
    monkeypatch.setattr(pairs, "BLOCK", block)
    torch.manual_seed(0)
    early, late = torch.randn(6, 5), torch.randn(6, 5)
    late[:, 2] = 0
    early[0, 2] = 0
    first, last = saved(tmp_path, {"fc.weight": early}, {"fc.weight": late})
    gap = pairs.gap(first, last, "fc.weight")
    assert gap.distance == pytest.approx(float((late - early).double().norm()), rel=1e-6)
    assert gap.largest == float((late - early).abs().max())
    assert gap.zeroed == 5


def test_only_equal_tensors_are_at_distance_zero(tmp_path):
    tiny = {"a.weight": torch.full((3, 3), 1e-30), "b.weight": torch.ones(3, 3), "c.weight": torch.tensor([math.nan])}
    first, last = saved(tmp_path, tiny, tiny | {"a.weight": torch.full((3, 3), 2e-30)})
    assert 0 < pairs.gap(first, last, "a.weight").distance < 1e-29
    assert pairs.gap(first, last, "b.weight").distance == 0
    assert math.isnan(pairs.gap(first, last, "c.weight").distance)


def test_a_tensor_is_read_once_however_many_checkpoints_it_is_compared_with(tmp_path):
    found = saved(tmp_path, *({"fc.weight": torch.randn(8, 8), "fc.bias": torch.randn(8)} for _ in range(4)))
    first, *others = found
    together = pairs.groups([(first, other) for other in others])
    assert sorted(len(group.members) for group in together) == [4, 4, 4]  # of the weight, the bias and the other one
    for group in together:
        group.read()
    for other in others:
        want = np.linalg.norm(first.tensors["fc.weight"].array() - other.tensors["fc.weight"].array())
        assert pairs.gap(first, other, "fc.weight").distance == pytest.approx(float(want), rel=1e-6)
    assert [statistics.of(c).seen for c in found] == [4 * (64 + 8 + 4)] * 4


def test_tied_weights_are_read_once_even_where_they_are_tied_in_one_checkpoint_only(tmp_path):
    shared = torch.randn(8, 4)
    tied, apart = (
        {"wte.weight": shared, "head.weight": shared},
        {n: torch.randn(8, 4) for n in ("wte.weight", "head.weight")},
    )
    first, last = saved(tmp_path, tied, apart)
    sizes = sorted(len(group.members) for group in pairs.groups([(first, last)]))
    assert sizes == [2, 3]


def test_tensors_of_another_shape_are_not_compared(tmp_path):
    first, last = saved(tmp_path, {"fc.weight": torch.randn(4, 4)}, {"fc.weight": torch.randn(5, 4)})
    assert [len(group.members) for group in pairs.groups([(first, last)])] == [2]


def test_what_is_known_is_not_read_again(tmp_path):
    first, last = saved(tmp_path, {"fc.weight": torch.randn(4, 4)}, {"fc.weight": torch.randn(4, 4)})
    for group in pairs.groups([(first, last)]):
        group.read()
    assert pairs.groups([(first, last)]) == []
