"""Singular values against closed forms: known ranks, known conditions, known exponents; nothing hangs on the blocks."""

import math
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.saved import spectra
from probes.saved.spectra import density, power_law, spectrum


@dataclass
class Kept:
    """A tensor in memory."""

    values: np.ndarray
    dtype: str = "float32"
    name: str = "fc.weight"

    @property
    def shape(self) -> tuple[int, ...]:
        return self.values.shape

    def array(self) -> np.ndarray:
        return self.values


def plain_fit(values: np.ndarray) -> tuple[float, float, float]:
    """The textbook loop over all lower ends, as a reference."""
    x, best = np.sort(values), (math.inf, 0.0, 0.0)
    for i in range(len(x) - 1):
        tail = x[i:]
        alpha = 1 + len(tail) / np.log(tail / tail[0]).sum()
        gap = np.abs(1 - (tail / tail[0]) ** (1 - alpha) - np.arange(len(tail)) / len(tail)).max()
        best = min(best, (gap, alpha, tail[0]))
    return best


@pytest.mark.parametrize("alpha", [1.6, 2.5, 4.0])
def test_the_exponent_of_a_power_law_is_found(alpha):
    quantiles = (np.arange(4000) + 0.5) / 4000
    found = power_law((1 - quantiles) ** (-1 / (alpha - 1)))
    assert found is not None
    assert found.alpha == pytest.approx(alpha, rel=0.02)


@given(st.integers(20, 300), st.integers(0, 10_000), st.floats(0.1, 2.0))
def test_leaving_candidates_out_early_changes_nothing(count, seed, spread):
    values = np.exp(spread * np.random.default_rng(seed).standard_normal(count))
    gap, alpha, xmin = plain_fit(values)
    found = power_law(values)
    assert found is not None
    assert found.distance == pytest.approx(gap, abs=1e-9)
    assert (found.alpha, found.xmin) == pytest.approx((alpha, xmin), rel=1e-6)


@pytest.mark.parametrize("values", [np.ones(50), np.zeros(50), np.full(50, np.nan), np.arange(1.0, 19.0)])
def test_no_exponent_where_there_is_no_tail(values):
    assert power_law(values) is None


@pytest.mark.parametrize(("rows", "columns", "rank"), [(40, 60, 40), (60, 40, 7), (30, 300, 1)])
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_the_rank_is_that_of_the_factors(rows, columns, rank, dtype):
    random = np.random.default_rng(0)
    product = random.standard_normal((rows, rank)) @ random.standard_normal((rank, columns))
    if rank == min(rows, columns):
        product = random.standard_normal((rows, columns))
    found = spectrum(Kept(product.astype(dtype).astype("float32"), dtype))
    assert found is not None
    assert found.rank == rank


@pytest.mark.parametrize("size", [50, 400])
def test_a_random_square_matrix_has_full_rank_and_a_low_rank_product_has_not(size):
    random = np.random.default_rng(size)
    whole = random.standard_normal((size, size)).astype("float32")
    factors = [random.standard_normal(s).astype("float32") for s in ((size, 5), (5, size))]
    for matrix, rank in ((whole, size), (factors[0] @ factors[1], 5)):
        found = spectrum(Kept(matrix))
        assert found is not None
        assert found.rank == rank
        assert math.isinf(found.condition) == (rank < size)


def test_stable_rank_and_condition_of_a_diagonal_matrix():
    found = spectrum(Kept(np.diag([4.0, 2.0, 2.0, 1.0]).astype("float32")))
    assert found is not None
    assert found.stable_rank == pytest.approx(25 / 16)
    assert found.condition == pytest.approx(4)


def test_the_singular_values_are_those_of_a_decomposition(monkeypatch):
    monkeypatch.setattr(spectra, "BLOCK", 4096)  # so that several blocks are needed
    matrix = np.random.default_rng(1).standard_normal((30, 700)).astype("float32")
    found, own = spectrum(Kept(matrix)), np.linalg.svd(matrix.astype("float64"), compute_uv=False)
    assert found is not None
    assert found.condition == pytest.approx(own[0] / own[-1])
    assert found.stable_rank == pytest.approx((own**2).sum() / own[0] ** 2)


def test_a_convolution_is_cut_at_its_kernel_positions():
    kernel = np.random.default_rng(2).standard_normal((8, 5, 3, 3)).astype("float32")
    own = [np.linalg.svd(kernel[:, :, i, j], compute_uv=False) ** 2 / 2 for i in range(3) for j in range(3)]
    assert density(kernel, np.empty(0)) == pytest.approx(np.sort(np.concatenate(own)), rel=1e-4)


def test_a_kernel_of_one_position_is_a_matrix():
    kernel = np.random.default_rng(2).standard_normal((40, 30, 1, 1)).astype("float32")
    own, matrix = spectrum(Kept(kernel)), spectrum(Kept(kernel[:, :, 0, 0]))
    assert own is not None
    assert matrix is not None
    assert own.tail is not None
    assert matrix.tail is not None
    assert own.tail.alpha == pytest.approx(matrix.tail.alpha)
    assert own.tail.xmin == pytest.approx(matrix.tail.xmin / 2)


@pytest.mark.parametrize("bad", [0.0, math.nan, math.inf])
def test_zero_or_broken_matrices_have_no_spectrum(bad):
    assert spectrum(Kept(np.full((4, 4), bad, "float32"))) is None
