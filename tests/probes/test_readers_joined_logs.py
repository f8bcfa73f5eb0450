"""What a run leaves in several files is one log; what belongs to other runs stays apart."""

from __future__ import annotations

import json
from pathlib import Path

from probes.artifacts import Artifacts, Log
from probes.checks import learning_curves
from probes.discover import discover
from probes.series.outcome import outcome


def quiet(fraction: float, text: str = "") -> None:
    """No progress is shown."""


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def epochs(first: int, last: int, start: float = 2.0) -> str:
    return "".join(
        f"Epoch {e}/9 loss: {start / e:.4f} val_loss: {start / e + 0.1:.4f}\n" for e in range(first, last + 1)
    )


def only(found: Artifacts) -> Log:
    assert len(found.logs) == 1, [log.path for log in found.logs]
    return found.logs[0]


RUN = "wandb/offline-run-20240725_172119-a5x2tn25/files"
SUMMARY = json.dumps({"_step": 3, "_runtime": 9, "loss": 0.5, "val_loss": 0.6})


def test_a_wandb_folder_is_one_run(tmp_path: Path) -> None:
    write(tmp_path / RUN / "wandb-summary.json", SUMMARY)
    write(tmp_path / RUN / "output.log", epochs(1, 4))
    write(tmp_path / RUN / "config.yaml", "lr:\n  value: 0.1\n")
    write(tmp_path / RUN / "wandb-metadata.json", "{}")
    write(tmp_path / RUN / "../logs/debug.log", "2024-07-25 INFO loss 1\n")
    found = discover([tmp_path])
    log = only(found)
    assert log.path.name == "output.log" and "wandb-summary.json of the same run" in log.warnings[-1]
    assert found.unknown == ()


def test_a_summary_alone_gives_the_last_values(tmp_path: Path) -> None:
    write(tmp_path / RUN / "wandb-summary.json", SUMMARY)
    log = only(discover([tmp_path]))
    loss = log.get("train/loss")
    assert log.format == "wandb-summary" and loss is not None and loss.y.tolist() == [0.5]


def test_two_wandb_runs_stay_two(tmp_path: Path) -> None:
    write(tmp_path / RUN / "output.log", epochs(1, 4))
    write(tmp_path / RUN.replace("a5x2tn25", "b5x2tn25") / "output.log", epochs(1, 4, 3.0))
    assert len(discover([tmp_path]).logs) == 2


def test_an_mlflow_store_is_one_log_a_run(tmp_path: Path) -> None:
    for run in ("00e2ba8f3b404a6abced114ac6b51ff8", "24005fa4a9124421b61899b4a82e6510"):
        root = tmp_path / "mlruns" / "0" / run
        for name in ("train_loss", "val/loss", "val/acc"):
            write(root / "metrics" / name, "".join(f"165210000000{i} {1 / (i + 1)} {i}\n" for i in range(5)))
        write(root / "params" / "lr", "0.01")
        write(root / "tags" / "mlflow.user", "me")
        write(root / "meta.yaml", "run_id: x\n")
    found = discover([tmp_path])
    assert [{s.name for s in log.series} for log in found.logs] == [{"train/loss", "val/loss", "val/accuracy"}] * 2
    assert found.unknown == ()


def test_one_metric_a_file_is_joined_by_the_names_of_the_files(tmp_path: Path) -> None:
    for name in ("train_loss", "val_loss"):
        write(tmp_path / f"{name}.csv", "epoch,loss\n" + "".join(f"{e},{1 / e}\n" for e in (1, 2, 3)))
    assert {s.name for s in only(discover([tmp_path])).series} == {"train/loss", "val/loss"}


def test_a_run_that_was_resumed_into_a_second_file_is_one(tmp_path: Path) -> None:
    write(tmp_path / "training-01-04.log", epochs(1, 4))
    write(tmp_path / "training-05-09.log", epochs(5, 9))
    log = only(discover([tmp_path]))
    loss = log.get("train/loss")
    assert loss is not None and loss.x.tolist() == list(range(1, 10))
    assert "goes on in training-05-09.log" in log.warnings[0]


def test_two_runs_in_one_folder_stay_two_and_the_one_that_was_judged_is_named(tmp_path: Path) -> None:
    write(tmp_path / "a.log", epochs(1, 9))
    write(tmp_path / "b.log", epochs(1, 9, 3.0))
    found = discover([tmp_path])
    assert len(found.logs) == 2
    known = outcome(found)
    assert known.log is not None and len(known.left_aside) == 1
    assert known.train is not None and known.train.y[0] == (2.0 if known.log.path.name == "a.log" else 3.0)
    measures = learning_curves.run(found, quiet).measures
    aside = next(m for m in measures if m.name == "other logs with a loss, not judged")
    assert (aside.value, aside.where) == (1, known.left_aside[0].path.name)
    assert all(m.where == str(known.log.path) for m in measures if m.name.startswith("train/loss"))
