"""Data files with one thing wrong each, and odd ones with nothing wrong."""

from pathlib import Path

import numpy as np
import torch

from probes.checks.data_quality import run
from probes.discover import discover
from probes.finding import Finding


def table(n: int = 1000, width: int = 10, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, width))
    return x.astype("f4"), (x[:, 0] + x[:, 1] + rng.normal(size=n) > 0).astype("i8")


def probe(folder: Path, x, y, x_val, y_val) -> Finding:
    np.savez(folder / "data.npz", x_train=x, y_train=y, x_val=x_val, y_val=y_val)
    return run(discover([folder]), lambda fraction, text="": None)


def parts(**change):
    x, y = table()
    return {"x": x[:700], "y": y[:700], "x_val": x[700:], "y_val": y[700:], **change}


def said(finding: Finding) -> dict[str, str]:
    return {v.diagnosis: v.verdict for v in finding.verdicts}


def log(folder: Path, **columns) -> None:
    lines = [",".join(columns), *(",".join(map(str, row)) for row in zip(*columns.values(), strict=True))]
    (folder / "log.csv").write_text("\n".join(lines) + "\n")


def test_ordinary_data_are_cleared(tmp_path):
    assert said(probe(tmp_path, **parts())) == {
        "missing-values": "ruled_out",
        "preprocessing-mismatch": "ruled_out",
        "class-imbalance": "ruled_out",
    }


def test_missing_values_are_counted_and_confirmed_where_the_loss_is_lost(tmp_path):
    whole = parts()
    whole["x"][[3, 5], 2] = np.nan
    whole["x_val"][0, 0] = np.inf
    log(tmp_path, epoch=range(5), train_loss=["0.7", "0.6", "nan", "nan", "nan"])
    found = probe(tmp_path, **whole)
    assert said(found)["missing-values"] == "confirmed"
    assert "3 values" in found.verdicts[0].because


def test_missing_values_that_something_removes_are_not_blamed(tmp_path):
    whole = parts()
    whole["x"][3, 2] = np.nan
    log(tmp_path, epoch=range(5), train_loss=[0.7, 0.6, 0.5, 0.4, 0.4])
    assert said(probe(tmp_path, **whole))["missing-values"] == "inconclusive"


def test_tensors_that_were_cleaned_count_more_than_the_raw_arrays(tmp_path):
    whole = parts()
    for name, split in {"train": ("x", "y"), "val": ("x_val", "y_val")}.items():
        torch.save(
            {k: torch.from_numpy(whole[s].copy()) for k, s in zip("xy", split, strict=True)}, tmp_path / f"{name}.pt"
        )
    whole["x"][3, 2] = np.nan
    assert said(probe(tmp_path, **whole))["missing-values"] == "ruled_out"


def test_validation_in_other_units_is_confirmed(tmp_path):
    found = probe(tmp_path, **parts(x_val=table()[0][700:] * 255))
    assert said(found)["preprocessing-mismatch"] == "confirmed"


def test_standardised_training_and_raw_validation_are_confirmed(tmp_path):
    found = probe(tmp_path, **parts(x_val=table()[0][700:] * 4 + 20))
    assert said(found)["preprocessing-mismatch"] == "confirmed"
    assert "training is standardised, they are not" in next(
        v.because for v in found.verdicts if "mismatch" in v.diagnosis
    )


def test_validation_of_a_later_time_is_suspected_at_most(tmp_path):
    walk = np.cumsum(np.random.default_rng(1).normal(0.05, 1, (1000, 1)), axis=0) + np.random.default_rng(2).normal(
        size=(1000, 6)
    )
    found = probe(tmp_path, **parts(x=walk[:700], x_val=walk[700:]))
    assert said(found)["preprocessing-mismatch"] in {"suspected", "inconclusive"}


def test_large_columns_are_suspected_only_in_a_run_that_does_not_learn(tmp_path):
    x = table()[0]
    x[:, 3] *= 5000
    log(tmp_path, epoch=range(8), train_loss=[0.7] * 8)
    assert said(probe(tmp_path, **parts(x=x[:700], x_val=x[700:])))["unscaled-inputs"] == "suspected"
    log(tmp_path, epoch=range(8), train_loss=[0.7, 0.3, 0.2, 0.1, 0.05, 0.04, 0.03, 0.03])
    assert "unscaled-inputs" not in said(probe(tmp_path, **parts(x=x[:700], x_val=x[700:])))


def test_an_accuracy_that_is_the_share_of_the_largest_class_is_confirmed(tmp_path):
    rare = (np.arange(300) % 20 == 0).astype("i8")
    log(
        tmp_path,
        epoch=range(5),
        train_loss=[0.5, 0.3, 0.21, 0.2, 0.2],
        val_loss=[0.5, 0.3, 0.21, 0.2, 0.2],
        val_acc=[0.95] * 5,
    )
    assert said(probe(tmp_path, **parts(y_val=rare)))["class-imbalance"] == "confirmed"
    log(
        tmp_path,
        epoch=range(5),
        train_loss=[0.5, 0.3, 0.1, 0.05, 0.05],
        val_loss=[0.5, 0.3, 0.1, 0.1, 0.1],
        val_acc=[0.95, 0.96, 0.98, 0.98, 0.98],
    )
    assert said(probe(tmp_path, **parts(y_val=rare)))["class-imbalance"] == "inconclusive"


def test_a_column_that_knows_the_answer_is_suspected(tmp_path):
    x, y = table()
    x[:, 4] = y + 0.05 * x[:, 4]
    found = probe(tmp_path, **parts(x=x[:700], x_val=x[700:]))
    assert said(found)["data-leakage"] == "suspected"
    assert "column 4" in found.verdicts[-1].because


def test_a_regression_that_follows_from_its_columns_together_is_no_leak(tmp_path):
    x, _ = table()
    y = x @ np.arange(10, dtype="f4")
    assert "data-leakage" not in said(probe(tmp_path, **parts(y=y[:700], y_val=y[700:])))


def test_reconstruction_of_the_inputs_is_no_leak(tmp_path):
    x, _ = table()
    assert "data-leakage" not in said(probe(tmp_path, **parts(y=x[:700], y_val=x[700:])))


def test_token_ids_are_not_judged_by_their_scale(tmp_path):
    ids = np.random.default_rng(0).integers(0, 30000, (1000, 12))
    log(tmp_path, epoch=range(8), train_loss=[0.7] * 8)
    found = said(probe(tmp_path, **parts(x=ids[:700], x_val=ids[700:])))
    assert not {"unscaled-inputs", "preprocessing-mismatch"} & set(found)
