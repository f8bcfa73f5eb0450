"""Logs as tools and people write them: the right names, every point, the right axis; and what is no log."""

from __future__ import annotations

import contextlib
import json
import math
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from probes.artifacts import Log, Series
from probes.errors import Unreadable
from probes.readers.logs.log import read_log


def log(folder: Path, text: str, name: str = "run.txt") -> Log:
    (folder / name).write_text(text)
    return read_log(folder / name)


def series(found: Log, name: str) -> Series:
    one = found.get(name)
    assert one is not None, [s.name for s in found.series]
    return one


def test_a_keras_csv(tmp_path: Path) -> None:
    found = log(tmp_path, "epoch,acc,loss,val_acc,val_loss\r\n0,0.1,2.3,0.2,2.2\r\n1,0.5,1.1,0.4,1.5\r\n")
    assert found.format == "keras-csv"
    assert {s.name for s in found.series} == {"train/accuracy", "train/loss", "val/accuracy", "val/loss"}
    assert series(found, "val/loss").y.tolist() == [2.2, 1.5]
    assert series(found, "val/loss").x_name == "epoch"


def test_sparse_lightning_rows_are_not_points(tmp_path: Path) -> None:
    head = "val_loss,epoch,train_loss_step,step,train_loss_epoch\n"
    rows = head + ",0,2.0,49,\n0.9,0,,49,\n,0,,49,1.8\n,1,1.5,99,\n0.7,1,,99,\n"
    found = log(tmp_path, rows)
    assert series(found, "val/loss").y.tolist() == [0.9, 0.7]
    assert series(found, "train/loss_step").x.tolist() == [0, 1]
    assert series(found, "train/loss").y.tolist() == [1.8]


def test_blank_is_sparse_and_nan_is_a_value(tmp_path: Path) -> None:
    found = log(tmp_path, "step,loss\n1,0.5\n2,\n3,nan\n4,inf\n")
    loss = series(found, "train/loss")
    assert loss.x.tolist() == [1, 3, 4]
    assert math.isnan(loss.y[1]) and math.isinf(loss.y[2])


def test_padded_ultralytics_headers(tmp_path: Path) -> None:
    found = log(
        tmp_path,
        "   epoch,  train/box_loss, metrics/mAP_0.5,   x/lr0\n   0,  0.9,  0.1,  0.01\n   1,  0.8,  0.2,  0.02\n",
    )
    assert found.format == "ultralytics-csv"
    assert [s.name for s in found.series] == ["train/box_loss", "val/map50", "lr"]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_any_delimiter_and_comment_lines(tmp_path: Path, delimiter: str) -> None:
    rows = ["# made by hand", "#" + delimiter.join(["epoch", "train loss", "valid loss"])]
    rows += [delimiter.join([str(i), str(1 / i), str(2 / i)]) for i in (1, 2, 3)]
    found = log(tmp_path, "\n".join(rows))
    assert series(found, "val/loss").y.tolist() == pytest.approx([2, 1, 2 / 3])


def test_a_second_run_in_the_file_is_warned_of(tmp_path: Path) -> None:
    found = log(tmp_path, "epoch,loss\n0,1\n1,.5\n0,1\n1,.4\n2,.3\n")
    assert "goes back" in found.warnings[0] and len(series(found, "train/loss").y) == 5


def test_json_lines_with_records_of_two_kinds(tmp_path: Path) -> None:
    records = [{"iter": i, "loss": 1 / i, "lr": 0.1} for i in (1, 2, 3)] + [{"step": 1, "accuracy/top1": 71.0}]
    found = log(tmp_path, "\n".join(map(json.dumps, records)))
    assert series(found, "val/accuracy").y.tolist() == [71.0]
    assert series(found, "train/loss").x.tolist() == [1, 2, 3]


def test_the_summary_of_a_trainer_state_does_not_join_the_curve(tmp_path: Path) -> None:
    history = [
        {"epoch": 0.5, "loss": 2.0, "learning_rate": 1e-4, "step": 10},
        {"epoch": 1.0, "eval_loss": 1.9, "step": 20},
    ]
    history += [
        {"epoch": 1.0, "loss": 1.5, "step": 20},
        {"train_runtime": 5.0, "train_loss": 1.75, "total_flos": 1, "step": 20},
    ]
    found = log(tmp_path, json.dumps({"global_step": 20, "log_history": history}))
    assert found.format == "trainer-state"
    assert series(found, "train/loss").y.tolist() == [2.0, 1.5]
    assert series(found, "val/loss").y.tolist() == [1.9]


@pytest.mark.parametrize(
    "tree",
    [
        {"loss": [2.0, 1.0, 0.5], "val_loss": [2.1, 1.2, 0.8]},
        {"train": {"loss": [2.0, 1.0, 0.5]}, "val": {"loss": [2.1, 1.2, 0.8]}},
        {
            "config": {"lr": 1},
            "predictions": [1, 2],
            "training_history": {"train_loss": [2, 1, 0.5], "val_loss": [2.1, 1.2, 0.8]},
        },
        [
            {"epoch": i, "train_loss": a, "valid_loss": b}
            for i, (a, b) in enumerate([(2.0, 2.1), (1.0, 1.2), (0.5, 0.8)])
        ],
        {
            f"epoch_{i}": {"train_loss": a, "val_loss": b}
            for i, (a, b) in enumerate([(2.0, 2.1), (1.0, 1.2), (0.5, 0.8)])
        },
    ],
)
def test_histories_in_json(tmp_path: Path, tree: object) -> None:
    found = log(tmp_path, json.dumps(tree))
    assert series(found, "train/loss").y.tolist() == [2.0, 1.0, 0.5]
    assert series(found, "val/loss").y.tolist() == [2.1, 1.2, 0.8]


PRINTED = {
    "keras": ("Epoch {e}/3\n17/17 - 5s - loss: {a} - acc: 0.5 - val_loss: {b} - val_acc: 0.4 - 5s/epoch\n"),
    "bar": "Epoch {e}/3\n1/9 [>....] - ETA: 3s - loss: 9.9\r9/9 [======] - 1s - loss: {a} - val_loss: {b}\n",
    "labels": "Epoch {e}/3, Train Loss: {a}, Val Loss: {b}, PSNR: 18.9\n",
    "logging": "2024-01-02 03:04:05,678 - train - INFO - Epoch {e}: train_loss={a} val_loss={b} lr=1e-3 time=12.3s\n",
    "phases": "Epoch {e}/3\n-----\ntrain Loss: {a} Acc: 0.3\nval Loss: {b} Acc: 0.2\n\n",
    "fairseq": "| train | epoch 00{e} | loss {a} | ppl 9.1\n| valid on 'valid' subset | epoch 00{e} | loss {b}\n",
    "nested": "Train Epoch: {e} [0/60000 (0%)]\tLoss: {a}\nValidation: loss {b}\n",
    "chinese": "第 {e} 轮, 训练损失：{a}, 验证损失：{b}\n",
    "russian": "Эпоха {e} | Train Loss: {a} | Val Loss: {b}\n",
    "colours": "\x1b[32m[11/05 23:17:32 d2]: \x1b[0mepoch: {e}  total_loss: {a}  val_loss: {b}  max_mem: 4562M\n",
    "steps": "step {e}: train loss {a}, val loss {b}\n",
    "saved": "Epoch {e}: train loss {a} val loss {b}\nEpoch {e}: saving model to cp-000{e}.ckpt, best val loss 0.1\n",
    "percent": "Epoch: {e} | Train Acc: 51.12% | Val Acc: 41.5% | Train Loss: {a} | Val Loss: {b}\n",
    "tutorial": "EPOCH {e}:\nLOSS train {a} valid {b}\n",
    "table": "| {e} | {a} | {b} |\n",
}


@pytest.mark.parametrize("form", PRINTED)
def test_printed_logs(tmp_path: Path, form: str) -> None:
    losses = [(1, 2.5, 2.75), (2, 1.25, 1.5), (3, 0.5, 1.0)]
    head = (
        "| epoch | train loss | val loss |\n|---|---|---|\n"
        if form == "table"
        else "lr: 0.1\nlayers = 3\nUsing 2137 files.\n"
    )
    found = log(tmp_path, head + "".join(PRINTED[form].format(e=e, a=a, b=b) for e, a, b in losses))
    assert series(found, "train/loss").y.tolist() == [2.5, 1.25, 0.5]
    assert series(found, "val/loss").y.tolist() == [2.75, 1.5, 1.0]
    assert series(found, "val/loss").x.tolist() == [1, 2, 3]


def test_steps_inside_epochs_make_fractions_of_epochs(tmp_path: Path) -> None:
    text = "".join(f"Epoch [{e}/2], Step [{s}/4], Loss: {1 / (e + s):.4f}\n" for e in (1, 2) for s in (2, 4))
    loss = series(log(tmp_path, text), "train/loss")
    assert loss.x.tolist() == [1.5, 2.0, 2.5, 3.0]


def test_running_means_in_brackets_count_once_an_epoch(tmp_path: Path) -> None:
    text = "".join(f"Epoch: [{e}][{i}/30]\tLoss {9 - i / 10} ({8 - e}.{i})\n" for e in (0, 1) for i in (0, 10, 30))
    assert series(log(tmp_path, text), "train/loss").y.tolist() == [8.3, 7.3]


def test_reinforcement_learning_blocks(tmp_path: Path) -> None:
    text = "".join(
        f"-----\n| rollout/ | |\n| ep_rew_mean | {i}.5 |\n| total_timesteps | {i * 100} |\n" for i in (1, 2, 3)
    )
    reward = series(log(tmp_path, text + "-----\n"), "rollout/reward")
    assert reward.y.tolist() == [1.5, 2.5, 3.5] and reward.x.tolist() == [100, 200, 300]


def test_dicts_that_a_trainer_prints(tmp_path: Path) -> None:
    text = "".join(
        f"{{'loss': {v}, 'learning_rate': 1e-05, 'epoch': {i / 10}}}\n" for i, v in enumerate((2.0, 1.0, "nan"))
    )
    loss = series(log(tmp_path, text + "{'train_runtime': 9.0, 'train_loss': 1.5, 'epoch': 1.0}\n"), "train/loss")
    assert len(loss.y) == 3 and math.isnan(loss.y[2])


NO_LOGS = {
    "trials": "model,lr,accuracy,loss\nresnet,0.1,0.9,0.2\nvgg,0.01,0.8,0.3\nmlp,0.1,0.7,0.4\n",
    "classes": "class,precision,recall\ncat,0.9,0.8\ndog,0.7,0.6\n",
    "final": '{"accuracy": 0.9, "loss": 0.3}',
    "config": "lr: 0.001\nepochs: 10\nloss: cross_entropy\nhidden: 128\n",
    "summary": "Total params: 1,234,567\nTest accuracy: 0.93\nTest loss: 0.21\n",
    "grid": json.dumps(
        [{"hidden": [3, 4], "params": {"lr": 0.1}, "test_loss": 0.3}, {"hidden": [5], "test_loss": 0.2}]
    ),
    "code": "lr = 0.1\nfor step in range(10):\n    loss = model(x)\n    print(f'step {step}: loss {loss}')\n",
    "chat": '{"role": "user", "content": "my loss is 0.5 at epoch 3"}\n{"role": "bot", "content": "ok"}\n',
    "sensors": "time,temperature\n1,20.5\n2,20.7\n3,20.9\n",
}


@pytest.mark.parametrize("kind", NO_LOGS)
def test_a_file_that_is_no_training_log_says_so(tmp_path: Path, kind: str) -> None:
    with pytest.raises(Unreadable, match="no training curve"):
        log(tmp_path, NO_LOGS[kind])


def frame(data: bytes) -> bytes:
    return struct.pack("<Q", len(data)) + b"\0" * 4 + data + b"\0" * 4


def field(number: int, content: bytes) -> bytes:
    return bytes([number << 3 | 2, len(content)]) + content


def event(step: int, tag: str, value: bytes) -> bytes:
    return frame(b"\x10" + bytes([step]) + field(5, field(1, field(1, tag.encode()) + value)))


def events() -> bytes:
    plain = [event(i, "Loss/train", b"\x15" + struct.pack("<f", 1 / (i + 1))) for i in range(3)]
    tensors = [event(i, "epoch_acc", field(8, b"\x08\x01" + field(4, struct.pack("<f", i / 4)))) for i in range(3)]
    return frame(b"\x09" + b"\0" * 8 + field(3, b"brain.Event:2")) + b"".join(plain + tensors)


def test_tensorboard_scalars_and_tensors_up_to_a_cut_record(tmp_path: Path) -> None:
    folder = tmp_path / "validation"
    folder.mkdir()
    (folder / "anything").write_bytes(events()[:-5])
    found = read_log(folder / "anything")
    assert series(found, "train/loss").y.tolist() == pytest.approx([1, 1 / 2, 1 / 3])
    assert series(found, "val/accuracy").y.tolist() == [0, 0.25]


def test_an_event_file_without_scalars_says_so(tmp_path: Path) -> None:
    (tmp_path / "e").write_bytes(frame(b"\x09" + b"\0" * 8 + field(3, b"brain.Event:2")))
    with pytest.raises(Unreadable, match="without any scalar"):
        read_log(tmp_path / "e")


def test_an_mlflow_metric_is_named_by_its_file(tmp_path: Path) -> None:
    (tmp_path / "metrics" / "val").mkdir(parents=True)
    path = tmp_path / "metrics" / "val" / "loss"
    path.write_text("1652100000000 0.5 0\n1652100000001 0.25 0\n")
    found = read_log(path)
    assert series(found, "val/loss").x_name == "row" and series(found, "val/loss").y.tolist() == [0.5, 0.25]


quick = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
TEXT = "epoch,loss\nEpoch 1/3 step: 0.5 - val_loss=nan [3][4/5] (0.2) {'loss': 1} | % \r\x08 iter 10: loss 2e-3, lr 1"
pieces = st.lists(st.sampled_from([*TEXT.split(" "), "\n", " ", "\t", ",", ":", "9" * 400, "é", "{", "["]), max_size=60)


@quick
@given(st.one_of(st.binary(max_size=300), pieces.map(lambda p: "".join(p).encode())))
def test_no_bytes_raise_anything_but_unreadable(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "log").write_bytes(content)
    try:
        found = read_log(tmp_path / "log")
    except Unreadable:
        return
    for one in found.series:
        assert len(one.x) == len(one.y) and one.y.dtype == np.float64


@quick
@given(st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=8), st.integers(0, 400))
def test_mutated_event_files_raise_nothing_but_unreadable(
    tmp_path: Path, edits: list[tuple[int, int]], cut: int
) -> None:
    content = bytearray(events())
    for place, value in edits:
        content[place % len(content)] = value
    (tmp_path / "log").write_bytes(bytes(content[:cut]))
    with contextlib.suppress(Unreadable):
        read_log(tmp_path / "log")


def test_rows_that_say_their_split(tmp_path: Path) -> None:
    rows = [(e, phase, loss) for e in (1, 2, 3) for phase, loss in (("train", 1 / e), ("val", 2 / e))]
    table = log(tmp_path, "epoch,phase,loss\n" + "".join(f"{e},{p},{v}\n" for e, p, v in rows))
    lines = log(tmp_path, "\n".join(json.dumps({"epoch": e, "split": p, "loss": v}) for e, p, v in rows))
    for found in (table, lines):
        assert series(found, "train/loss").y.tolist() == pytest.approx([1, 1 / 2, 1 / 3])
        assert series(found, "val/loss").y.tolist() == pytest.approx([2, 1, 2 / 3])
