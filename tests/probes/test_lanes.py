"""Half and quarter types: the same counts, bounds and sums as those of the numbers that they stand for."""

import numpy as np
import pytest
import torch

from probes.discover import discover
from probes.saved import lanes, statistics

TYPES = [torch.bfloat16, torch.float16, torch.float8_e4m3fn, torch.float8_e5m2]
NUMBERS = {
    "both signs": lambda: torch.randn(48, 128),
    "negative": lambda: -torch.rand(48, 128) - 0.5,
    "positive": lambda: torch.rand(48, 128) + 0.5,
    "zeros": lambda: torch.zeros(48, 128),
    "rows of an odd length": lambda: torch.randn(67, 101),
    "one long vector": lambda: torch.randn(300_000),
    "tiny": lambda: torch.randn(48, 128) * 1e-5,
}


def values(folder, tensor):
    torch.save({"fc.weight": tensor, "beside.weight": torch.ones(2, 2)}, folder / "weights.pt")
    last = discover([folder]).last
    return statistics.of(last).values(last.tensors["fc.weight"])


@pytest.mark.parametrize("kind", TYPES, ids=str)
@pytest.mark.parametrize("numbers", NUMBERS)
def test_sums_and_bounds_are_those_of_the_numbers(tmp_path, kind, numbers, monkeypatch):
    monkeypatch.setattr(statistics, "BLOCK", 1000)
    torch.manual_seed(0)
    tensor = NUMBERS[numbers]().to(kind)
    want, found = tensor.double().numpy(), values(tmp_path, tensor)
    rows = want.reshape(len(found.rows), -1)
    assert (found.low, found.high, found.bad) == (want.min(), want.max(), 0)
    assert found.rows == pytest.approx((rows**2).sum(1), rel=1e-6)
    assert found.totals == pytest.approx(rows.sum(1), rel=1e-5, abs=1e-6 * np.abs(rows).sum(1).max())


@pytest.mark.parametrize("kind", TYPES, ids=str)
@pytest.mark.parametrize("sign", [1, -1])
def test_nan_and_infinity_are_counted_whatever_their_sign(tmp_path, kind, sign):
    tensor = torch.ones(64, 128)
    tensor[3, 5] = float("nan") * sign
    tensor[9, 0] = -2
    if kind != torch.float8_e4m3fn:  # has no infinity
        tensor[40, 7] = float("inf") * sign
    found = values(tmp_path, tensor.to(kind))
    assert (found.nan, found.inf) == (1, int(kind != torch.float8_e4m3fn))
    assert (found.low, found.high) == (-2, 1)
    assert found.rows[3] == 127


@pytest.mark.parametrize("kind", TYPES, ids=str)
def test_each_lane_holds_the_value_of_its_codes(kind):
    name = str(kind).removeprefix("torch.")
    form = lanes.FORMS[name]
    codes = np.arange(form.end, dtype=f"u{form.bits // 8}")
    codes = np.concatenate([codes, codes + codes.dtype.type(1 << form.bits - 1)])
    codes = codes[: len(codes) // 4 * 4].reshape(1, -1)
    got = np.concatenate([lane.ravel().copy() for lane in lanes._lanes(codes, form)])
    want = torch.from_numpy(codes.view(f"i{form.bits // 8}").copy()).view(kind).float().numpy().ravel()
    assert np.array_equal(np.sort(got), np.sort(want))


def test_a_long_row_of_equal_numbers_keeps_six_digits(tmp_path):
    tensor = torch.full((2, 300_000), 0.0213)
    found = values(tmp_path, tensor)
    one = float(tensor[0, 0].double())
    assert found.rows == pytest.approx([300_000 * one**2] * 2, rel=1e-6)
    assert found.totals == pytest.approx([300_000 * one] * 2, rel=1e-6)
