"""Data files as people save them: copies across the split, coincidences of discrete data, and neither."""

from pathlib import Path

import numpy as np
import pytest
import torch

from probes.checks.data_overlap import run
from probes.discover import discover
from probes.finding import Finding

RNG = np.random.default_rng(0)


def rows(n: int = 600, width: int = 8) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(n + width)
    return rng.normal(size=(n, width)).astype("f4"), rng.integers(0, 2, n)


def probe(folder: Path) -> Finding:
    return run(discover([folder]), lambda fraction, text="": None)


def saved(folder: Path, x, y, x_val, y_val, style: str = "npz") -> Finding:
    if style == "npz":
        np.savez(folder / "data.npz", x_train=x, y_train=y, x_test=x_val, y_test=y_val)
    elif style == "npy":
        for name, array in {"X_train": x, "y_train": y, "X_val": x_val, "y_val": y_val}.items():
            np.save(folder / f"{name}.npy", array)
    else:
        for name, pair in {"train": (x, y), "val": (x_val, y_val)}.items():
            tensors = [torch.from_numpy(np.ascontiguousarray(a)) for a in pair]
            torch.save(
                tuple(tensors) if style == "tuple" else dict(zip("xy", tensors, strict=True)), folder / f"{name}.pt"
            )
    return probe(folder)


def said(finding: Finding) -> dict[str, str]:
    return {v.diagnosis: v.verdict for v in finding.verdicts}


@pytest.mark.parametrize("style", ["npz", "npy", "dict", "tuple"])
def test_validation_rows_that_were_taken_from_training_are_confirmed(tmp_path, style):
    x, y = rows()
    found = saved(tmp_path, x, y, np.r_[x[:50], rows(250)[0]], np.r_[y[:50], rows(250)[1]], style)
    assert said(found)["data-leakage"] == "confirmed"
    assert "50 of the 300" in found.verdicts[0].because


def test_rows_that_were_copied_before_the_split_are_copies_although_training_repeats_as_much(tmp_path):
    x, y = rows()
    order = np.random.default_rng(1).permutation(1200)
    x, y = np.r_[x, x][order], np.r_[y, y][order]
    found = saved(tmp_path, x[:900], y[:900], x[900:], y[900:])
    assert said(found)["data-leakage"] == "confirmed"
    assert said(found)["duplicate-data"] == "suspected"


def test_the_same_numbers_in_another_type_are_found(tmp_path):
    x, y = rows()
    found = saved(tmp_path, x, y, np.round(x[:100].astype("f8"), 7) * (1 + 1e-9), y[:100])
    assert said(found)["data-leakage"] == "confirmed"


def test_a_split_without_copies_is_clean(tmp_path):
    x, y = rows()
    found = saved(tmp_path, x[:400], y[:400], x[400:], y[400:])
    assert said(found) == {"data-leakage": "ruled_out"}


@pytest.mark.parametrize("levels", [2, 4])
def test_discrete_tables_repeat_by_nature(tmp_path, levels):
    rng = np.random.default_rng(2)
    x, y = rng.integers(0, levels, (1000, 5)).astype("f4"), rng.integers(0, 2, 1000)
    found = saved(tmp_path, x[:700], y[:700], x[700:], y[700:])
    assert said(found)["data-leakage"] == "inconclusive"
    assert said(found).get("bad-labels") != "suspected"
    assert "by nature" in found.verdicts[0].because


def test_oversampling_of_the_training_part_alone_is_no_leak(tmp_path):
    x, y = rows()
    found = saved(tmp_path, np.r_[x[:400], x[:100]], np.r_[y[:400], y[:100]], x[400:], y[400:])
    assert said(found) == {"data-leakage": "ruled_out"}


def test_a_single_repeated_blank_row_is_not_worth_an_alarm(tmp_path):
    x, y = rows()
    x[::20] = 0
    assert said(saved(tmp_path, x[:400], y[:400], x[400:], y[400:]))["data-leakage"] == "inconclusive"


def test_the_same_grid_with_other_measurements_is_not_the_same_samples(tmp_path):
    grid = np.linspace(0, 1, 100, dtype="f4")[:, None]
    noise = np.random.default_rng(3).normal(size=(2, 100, 1)).astype("f4")
    found = saved(tmp_path, grid, grid + noise[0], grid, grid + noise[1])
    assert said(found)["data-leakage"] == "inconclusive"


def test_copies_with_other_labels_are_suspected(tmp_path):
    x, y = rows()
    found = saved(
        tmp_path, np.r_[x, x[:60]], np.r_[y, 1 - y[:60]], np.r_[x[:40], rows(100)[0]], np.r_[y[:40], rows(100)[1]]
    )
    assert said(found)["bad-labels"] == "suspected"


def test_one_part_alone_cannot_be_compared(tmp_path):
    np.savez(tmp_path / "data.npz", x_train=rows()[0], y_train=rows()[1])
    found = probe(tmp_path)
    assert found.status == "could-not-check"
    assert "train.pt and val.pt" in found.needs


def test_pickled_objects_in_data_files_are_never_read(tmp_path):
    np.save(tmp_path / "X_train.npy", np.array([{"a": 1}, None], dtype=object), allow_pickle=True)
    np.save(tmp_path / "X_val.npy", rows()[0])
    assert probe(tmp_path).status == "could-not-check"
