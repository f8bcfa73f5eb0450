"""Trends held against SciPy's, change points where they were put, and outlooks on curves whose future is known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from probes.series import trends

VALUES = st.lists(st.floats(-1e6, 1e6, allow_subnormal=False), min_size=4, max_size=60)


def noisy(y: np.ndarray, sigma: float, seed: int = 0) -> np.ndarray:
    return y + sigma * np.random.default_rng(seed).normal(size=len(y))


@given(VALUES)
def test_theil_sen_and_its_interval_are_those_of_scipy(values):
    y, x = np.array(values), np.arange(float(len(values)))
    ours, theirs = trends.theil_sen(x, y), stats.theilslopes(y, x, 0.95)
    assert ours.value == pytest.approx(theirs.slope)
    assert ours.low == pytest.approx(theirs.low_slope)
    assert ours.high == pytest.approx(theirs.high_slope)


@given(st.lists(st.integers(0, 9), min_size=4, max_size=60))
def test_mann_kendall_with_ties_has_scipys_sign_and_the_textbooks_variance(values):
    y = np.array(values, dtype=float)
    z = trends.mann_kendall(y)
    tau = stats.kendalltau(np.arange(len(y)), y).statistic
    assert z == 0 or np.sign(z) == np.sign(tau)
    assert abs(z) <= 8.2  # sixty points in a row


def test_a_trend_of_untied_values_has_the_p_value_of_kendalls_tau():
    y = noisy(np.linspace(0, 1, 80), 1.0, seed=3)
    p = 2 * stats.norm.sf(abs(trends.mann_kendall(y)))
    assert p == pytest.approx(stats.kendalltau(np.arange(80), y, method="asymptotic").pvalue, rel=0.05)


def test_outliers_move_neither_slope_nor_trend():
    x = np.arange(100.0)
    y = 3 - 0.02 * x
    y[::9] += 50
    slope = trends.theil_sen(x, y)
    assert slope.value == pytest.approx(-0.02, abs=1e-3)
    assert slope.low <= -0.02 <= slope.high


def test_noise_alone_has_no_trend():
    flat = noisy(np.ones(60), 0.1)
    assert abs(trends.mann_kendall(flat)) < 2
    assert trends.mann_kendall(flat - np.linspace(0, 0.5, 60)) < -5


@pytest.mark.parametrize("seed", range(5))
def test_a_bend_and_a_step_are_found_where_they_are(seed):
    y = np.concatenate([np.linspace(2, 1, 60), np.full(60, 1.0), np.full(60, 0.6)])
    found = trends.change_points(noisy(y, 0.02, seed))
    assert len(found) == 2
    assert found[0] == pytest.approx(60, abs=6)
    assert found[1] == pytest.approx(120, abs=2)


@pytest.mark.parametrize("seed", range(10))
def test_noise_around_a_line_has_no_change_points(seed):
    assert trends.change_points(noisy(np.linspace(2, 1, 150), 0.05, seed)) == []


def test_single_spikes_are_no_change_points():
    y = noisy(np.ones(200), 0.01)
    y[50] = y[120] = 30
    assert trends.change_points(y) == []


def test_the_outlook_of_a_power_law_is_its_future():
    t = np.arange(1, 401.0)
    y = noisy(0.5 + 3 * t**-0.5, 0.003)
    found = trends.outlook(y)
    assert found is not None
    assert found.then == pytest.approx(0.5 + 3 * 800**-0.5, rel=0.02)


@pytest.mark.parametrize("y", [np.array([1.0]), np.array([1.0, 2.0]), np.zeros(9), np.full(9, 2.5)])
def test_short_and_constant_curves_do_no_harm(y):
    assert trends.mann_kendall(y) == 0
    assert trends.theil_sen(np.arange(float(len(y))), y).low <= 1
    assert trends.change_points(y) == []


@pytest.mark.parametrize("y", [np.ones(50), noisy(np.ones(50), 0.1), np.linspace(1, 2, 50), np.ones(5)])
def test_a_curve_that_does_not_fall_has_no_outlook(y):
    assert trends.outlook(y) is None
