"""The statistics of curves, on curves whose answer is known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.series import curves


def noisy(y: np.ndarray, sigma: float, seed: int = 0) -> np.ndarray:
    return y + sigma * np.random.default_rng(seed).normal(size=len(y))


def test_noise_is_found_on_top_of_a_steep_line():
    y = noisy(np.linspace(10, 0, 400), 0.1)
    assert curves.noise(y) == pytest.approx(0.1, rel=0.15)


def test_a_long_curve_is_thinned_before_all_pairs_are_taken():
    assert len(curves.thin(np.zeros(100_000))) == curves.MAX_PAIRS


def test_a_rise_after_the_minimum_is_measured_from_the_minimum():
    y = np.concatenate([np.linspace(1, 0.4, 10), np.linspace(0.42, 0.8, 20)])
    found = curves.rise(y)
    assert found.clear
    assert found.best == pytest.approx(9, abs=1)
    assert found.ratio == pytest.approx(0.8 / 0.4, rel=0.1)
    assert found.best < curves.onset(y, found.best, found.lowest) < 13


def test_noise_around_a_plateau_is_no_clear_rise():
    y = noisy(np.concatenate([np.linspace(1, 0.4, 10), np.full(40, 0.4)]), 0.02)
    assert not curves.rise(y).clear


def test_a_curve_that_keeps_falling_is_told_from_one_on_its_plateau():
    assert curves.still_falling(np.linspace(2.3, 2.2, 30)) == pytest.approx(1 / 3, abs=0.06)
    assert curves.still_falling(np.exp(-np.arange(30.0))) < 0.01


def test_a_single_nan_that_the_curve_comes_back_from_is_not_staying_bad():
    y = np.array([1, 0.9, np.nan, 0.8, 0.7])
    assert curves.first_bad(y) == 2
    assert not curves.stays_bad(y)
    assert curves.stays_bad(np.array([1, 0.9, np.nan, np.nan, np.inf]))


def test_a_jump_that_passes_is_a_spike_and_a_step_that_stays_is_not():
    y = np.full(40, 1.0)
    y[25] = 8.0
    assert curves.spikes(y, 3.0) == [25]
    step = np.where(np.arange(40) < 25, 1.0, 8.0)
    assert curves.spikes(step, 3.0) == []


@pytest.mark.parametrize("y", [np.array([1.0]), np.array([1.0, 2.0]), np.zeros(9), np.full(9, 2.5)])
def test_short_and_constant_curves_do_no_harm(y: np.ndarray):
    curves.rise(y)
    curves.spikes(y, 2.0)
    assert curves.noise(y) == 0
    assert curves.jitter(y) in (0.0, pytest.approx(2 / 3))


def test_percent_becomes_a_fraction_and_a_fraction_stays():
    assert curves.fraction(np.array([10.0, 97.5])).tolist() == [0.1, 0.975]
    assert curves.fraction(np.array([0.1, 0.975])).tolist() == [0.1, 0.975]


def test_a_thinned_curve_keeps_its_spike_and_its_nan():
    y = np.ones(100_000)
    y[50_123], y[70_456] = 9.0, np.nan
    kept = curves.thinned(y, 1000)
    assert len(kept) <= 1000
    assert {50_123, 70_456, 0, 99_999} <= set(kept.tolist())
    assert curves.thinned(y[:500], 1000).tolist() == list(range(500))


def test_a_loss_of_noisy_batches_needs_a_higher_jump_than_a_smooth_one() -> None:
    random = np.random.default_rng(0)
    smooth, noisy = (np.exp(size * random.normal(size=2000)) for size in (0.02, 0.4))
    assert curves.spike_factor(smooth) == 3
    assert not curves.spikes(noisy, curves.spike_factor(noisy))
    noisy[1500] = 60
    assert curves.spikes(noisy, curves.spike_factor(noisy)) == [1500]


@given(st.lists(st.sampled_from([0.0, 0.5, 1.0, 1.2, 3.0, 9.0, -1.0]), max_size=60))
def test_a_spike_stands_above_the_five_points_before_it_and_passes(points: list[float]) -> None:
    y, found = np.array(points), []
    for i in range(max(5, len(y) // 5), len(y) - 1):
        bound = 3 * np.median(y[i - 5 : i])
        if bound > 0 and y[i] > bound and y[i - 1] <= bound and y[i + 1 :].min() < bound:
            found.append(i)
    assert curves.spikes(y, 3) == found


@given(st.lists(st.floats(-9, 9), max_size=40), st.sampled_from([1, 3, 5, 21]))
def test_a_running_median_uses_what_is_there_at_the_ends(points: list[float], width: int) -> None:
    y, half = np.array(points), width // 2
    expected = [np.median(y[max(0, i - half) : i + half + 1]) for i in range(len(y))]
    assert np.array_equal(curves.smooth(y, width), expected)


def test_a_wide_running_median_follows_the_curve_through_its_spikes() -> None:
    trend = np.linspace(5, 1, 20_000)
    y = trend + 0.01 * np.sin(np.arange(20_000) / 7)
    y[::50] += 100
    assert np.abs(curves.smooth(y, 501) - trend)[300:-300].max() < 0.03
