"""Forms of tables and JSON that need a second look: several runs in one file, long form, commas, steps that restart."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from probes.artifacts import Log
from probes.errors import Unreadable
from probes.readers.logs.log import read_log

EPOCHS = (1, 2, 3)


def log(folder: Path, text: str, encoding: str = "utf-8", name: str = "history") -> Log:
    (folder / name).write_text(text, encoding=encoding)
    return read_log(folder / name)


def lines(records: list[dict[str, object]]) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


def curves(found: Log) -> dict[str, list[float]]:
    return {s.column: s.y.tolist() for s in found.series}


@pytest.mark.parametrize(("first", "names"), [("run", "ab"), ("fold", "12"), ("seed", "78"), ("client_id", "12")])
@pytest.mark.parametrize("by_epoch", [False, True])
def test_runs_below_one_another_are_curves_of_their_own(tmp_path: Path, first: str, names: str, by_epoch: bool) -> None:
    rows = [(n, e) for n in names for e in EPOCHS]
    rows = sorted(rows, key=lambda row: row[1]) if by_epoch else rows
    text = "".join(f"{n},{e},{(2 if n == names[0] else 8) / e}\n" for n, e in rows)
    found = log(tmp_path, f"{first},epoch,train_loss\n{text}")
    a, b = (f"train_loss ({first} {n})" for n in names)
    assert curves(found) == {a: [2, 1, 2 / 3], b: [8, 4, 8 / 3]}
    assert {s.name for s in found.series} == {"train/loss"} and "2 runs" in found.warnings[0]


def test_a_table_of_runs_with_one_row_each_is_no_curve(tmp_path: Path) -> None:
    with pytest.raises(Unreadable):
        log(tmp_path, "run,epochs,loss\n" + "".join(f"{i},10,{1 / i}\n" for i in EPOCHS))


@pytest.mark.parametrize("head", ["metric,value,step", "name,value,epoch", "key,value,iteration"])
def test_one_value_a_row(tmp_path: Path, head: str) -> None:
    found = log(tmp_path, head + "\n" + "".join(f"train_loss,{2 / e},{e}\nval_acc,{e / 4},{e}\n" for e in EPOCHS))
    assert curves(found) == {"train_loss": [2, 1, 2 / 3], "val_acc": [0.25, 0.5, 0.75]}


def test_a_curve_that_tensorboard_exported(tmp_path: Path) -> None:
    text = "Wall time,Step,Value\n1650000000.1,0,2.5\n1650000001.1,10,1.5\n1650000002.1,20,0.5\n"
    found = log(tmp_path, text, name="run-version_0-tag-train_loss.csv")
    assert found.series[0].name == "train/loss" and found.series[0].x.tolist() == [0, 10, 20]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_decimal_commas(tmp_path: Path, encoding: str, delimiter: str) -> None:
    rows = [("epoch", "loss", "val_loss"), ("1", "2,5", "3"), ("2", "1,5", "2,25"), ("3", "1e-1", "1,5e0")]
    found = log(tmp_path, "\r\n".join(map(delimiter.join, rows)), encoding)
    assert curves(found) == {"loss": [2.5, 1.5, 0.1], "val_loss": [3, 2.25, 1.5]}


def test_two_columns_of_one_name_are_two_curves(tmp_path: Path) -> None:
    found = log(tmp_path, "epoch,loss,loss\n1,2,3\n2,1,2\n3,.5,1\n")
    assert [s.y.tolist() for s in found.series] == [[2, 1, 0.5], [3, 2, 1]]


def test_a_nameless_index_is_no_curve(tmp_path: Path) -> None:
    assert list(curves(log(tmp_path, ",loss,val_loss\n0,2,3\n1,1,2\n2,.5,1\n"))) == ["loss", "val_loss"]


def mmcv() -> list[dict[str, object]]:
    records: list[dict[str, object]] = [{"env_info": "sys.platform: linux\nPython 3.8", "seed": 0}]
    for e in EPOCHS:
        records += [{"mode": "train", "epoch": e, "iter": i, "loss": 3 / (e + i / 100)} for i in (50, 100)]
        records += [{"mode": "val", "epoch": e, "iter": 20, "bbox_mAP": e / 10}]
    return records


def test_steps_that_begin_anew_each_epoch_are_counted_through(tmp_path: Path) -> None:
    found = log(tmp_path, lines(mmcv()))
    loss = found.get("train/loss")
    assert loss is not None and loss.x_name == "step" and loss.x.tolist() == [50, 100, 150, 200, 250, 300]
    assert loss.epoch is not None and loss.epoch.tolist() == [1, 1, 2, 2, 3, 3]
    assert any(s.column == "bbox_mAP" and s.x_name == "epoch" and s.x.tolist() == [1, 2, 3] for s in found.series)


def test_a_run_that_started_again_is_not_counted_through(tmp_path: Path) -> None:
    rows = "".join(f"{e},{i},{1 / (e + i)}\n" for _ in range(2) for e in EPOCHS for i in (50, 100))
    found = log(tmp_path, "epoch,iter,loss\n" + rows)
    assert found.series[0].x.tolist() == [50, 100] * 6


def test_an_evaluation_that_counts_its_steps_in_epochs(tmp_path: Path) -> None:
    records: list[dict[str, object]] = []
    for e in EPOCHS:
        records += [{"lr": 0.1, "loss": 1 / e, "epoch": e, "iter": 100 * e, "step": 100 * e}]
        records += [{"accuracy/top1": 10 * e, "time": 0.1, "step": e}]
    found = log(tmp_path, lines(records)).get("val/accuracy")
    assert found is not None and found.x_name == "epoch" and found.x.tolist() == [1, 2, 3]


def test_a_history_printed_by_str(tmp_path: Path) -> None:
    text = "{'loss': [2.0, np.float64(1.0), array(0.5, dtype=float32)], 'val_loss': [3.0, nan, inf]}"
    found = log(tmp_path, text)
    assert curves(found)["loss"] == [2, 1, 0.5] and str(curves(found)["val_loss"]) == "[3.0, nan, inf]"


def test_numbers_that_are_written_as_text(tmp_path: Path) -> None:
    records: list[dict[str, object]] = [{"epoch": e, "train_loss": f"{2 / e:.3f}", "train_lr": "1e-3"} for e in EPOCHS]
    assert curves(log(tmp_path, lines(records)))["train_loss"] == [2, 1, 0.667]


def test_the_epoch_beside_the_step_is_kept(tmp_path: Path) -> None:
    history = [{"epoch": s / 40, "loss": 1 / s, "step": s} for s in (10, 20, 20, 30)]
    loss = log(tmp_path, json.dumps({"log_history": history})).get("train/loss")
    assert loss is not None and loss.x_name == "step" and loss.epoch is not None
    assert loss.epoch.tolist() == [0.25, 0.5, 0.5, 0.75]


NO_LOGS = {
    "samples": "id,loss,pred\n" + "".join(f"{i},{i % 7 / 7},{i % 3}\n" for i in range(20)),
    "trials": "trial,lr,loss,epochs\n" + "".join(f"{i},{0.1 / (i + 1)},{i % 7 / 7},10\n" for i in range(20)),
    "search": json.dumps([{"trial": i, "params": {"lr": 0.1}, "loss": i % 7 / 7} for i in range(9)]),
    "predictions": json.dumps({"predictions": [0.1, 0.5, 0.7], "accuracy": 0.9, "labels": [0, 1, 1]}),
    "classes": json.dumps({"cat": {"precision": 0.5, "recall": 0.4}, "dog": {"precision": 0.6, "recall": 0.4}}),
    "models": "| Epochs | Acc | Model |\n|---|---|---|\n| 100 | 91.2 | A |\n| 300 | 93.4 | B |\n| 200 | 92.0 | C |\n",
    "attendance": "name,value,day\nann,1,3\nbob,0,4\n",
}


@pytest.mark.parametrize("kind", NO_LOGS)
def test_look_alikes_are_no_curves(tmp_path: Path, kind: str) -> None:
    with pytest.raises(Unreadable, match="no training curve"):
        log(tmp_path, NO_LOGS[kind])
