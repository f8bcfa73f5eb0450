"""What tools print, read whole: every curve with its name, its values in order and its axis; and nothing else."""

# ruff: noqa: E501  log lines are as long as the tools print them

from __future__ import annotations

from pathlib import Path

import log_styles_more  # noqa: F401  adds its styles
import log_styles_of_people  # noqa: F401
import log_styles_of_toolkits  # noqa: F401
import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from log_styles import STYLES, Style

from probes.artifacts import Log
from probes.errors import Unreadable
from probes.names import CORE
from probes.readers.logs.log import read_log
from probes.readers.logs.text import decode


def read(folder: Path, content: str | bytes) -> Log:
    path = folder / "run.txt"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_log(path)


def held_against(found: Log, wanted: Style) -> None:
    for name, values in wanted.curves.items():
        one = found.get(name)
        assert one is not None, [s.name for s in found.series]
        np.testing.assert_allclose(one.y, values, rtol=1e-3, err_msg=name)
    for name, places in wanted.x.items():
        one = found.get(name)
        assert one is not None
        np.testing.assert_allclose(one.x, places, atol=1e-3, err_msg=name)
    for name, axis in wanted.axis.items():
        one = found.get(name)
        assert one is not None and one.x_name == axis


@pytest.mark.parametrize("name", STYLES)
def test_every_curve_that_a_tool_prints_is_read(tmp_path: Path, name: str) -> None:
    wanted = STYLES[name]()
    found = read(tmp_path, wanted.text)
    held_against(found, wanted)
    invented = {s.name for s in found.series} & CORE - set(wanted.curves)
    assert not invented


PLAIN = ["fastai_stages", "timm", "pytorch_mnist", "nanogpt", "keras_bars_with_carriage_returns", "hf_dicts"]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("name", PLAIN)
def test_every_unicode_encoding_is_understood(tmp_path: Path, name: str, encoding: str) -> None:
    wanted = STYLES[name]()
    held_against(read(tmp_path, wanted.text.encode(encoding)), wanted)


@pytest.mark.parametrize(
    ("name", "encoding"),
    [
        ("chinese", "gb18030"),
        ("russian", "cp1251"),
        ("spanish", "latin-1"),
        ("german", "cp1252"),
        ("french", "latin-1"),
    ],
)
def test_old_encodings_are_told_apart_by_what_reads_plausibly(tmp_path: Path, name: str, encoding: str) -> None:
    wanted = STYLES[name]()
    held_against(read(tmp_path, wanted.text.encode(encoding)), wanted)


@pytest.mark.parametrize("ends", ["\r\n", "\r"])
def test_line_ends_of_other_systems(tmp_path: Path, ends: str) -> None:
    for name in ("fastai_stages", "pytorch_mnist", "nanogpt", "transfer_tutorial"):
        wanted = STYLES[name]()
        held_against(read(tmp_path, wanted.text.replace("\n", ends)), wanted)


def test_a_log_that_was_truncated_while_it_was_written_to_begins_with_zeros(tmp_path: Path) -> None:
    wanted = STYLES["nanogpt"]()
    held_against(read(tmp_path, b"\0" * 500 + wanted.text.encode()), wanted)


def test_binary_data_is_refused_in_one_sentence() -> None:
    with pytest.raises(Unreadable, match="binary data"):
        decode(bytes(range(256)) * 20, "weights.bin")


def test_a_character_cut_off_at_the_end_does_not_change_the_encoding() -> None:
    assert decode("损失 0.5 损失".encode()[:-1], "log") == "损失 0.5 损"


NO_CURVES = {
    "settings": "train:\n  lr: 0.001\n  epochs: 100\n  loss: 0.5\n  batch_size: 32\nval:\n  step: 10\n  loss_weight: 1.0\n",
    "runs with settings": "".join(f"Run {i}: lr=0.{i}, epochs=10, acc=0.9{i}\n" for i in (1, 2, 3)),
    "a search": "".join(
        f"[I 2024-01-02 03:04:05,678] Trial {i} finished with value: 0.9{i} and parameters: "
        f"{{'lr': 0.{i}, 'epochs': 10}}. Best is trial 0 with value: 0.91.\n"
        for i in (1, 2, 3)
    ),
    "classes": "".join(f"class {i}: accuracy 0.{90 - i}\n" for i in range(5)),
    "a report": "              precision    recall  f1-score   support\n\n           0       0.98      0.99      0.98       980\n"
    "           1       0.99      0.99      0.99      1135\n\n    accuracy                           0.98     10000\n",
    "a benchmark": "| Model | Top-1 | Top-5 | Epochs |\n|---|---|---|---|\n| R50 | 76.1 | 92.9 | 90 |\n| R101 | 77.4 | 93.5 | 9 |\n",
    "an evaluation": "Test: [0/100]\tLoss 0.5 (0.5)\tAcc@1 90.0 (90.0)\nTest: [50/100]\tLoss 0.5 (0.52)\tAcc@1 91.0 (90.5)\n",
    "folds": "".join(f"Fold {i}: val loss 0.3{i}, accuracy 0.9{i}\n" for i in (1, 2, 3)),
    "results": "Final results after 100 epochs:\ntrain loss: 0.3\nval loss: 0.4\ntest accuracy: 0.93\n",
    "a schedule": "schedule: epoch 0 lr 0.1; epoch 30 lr 0.01; epoch 60 lr 0.001\n",
    "checkpoints": "".join(f"Epoch {i}: saving model to cp-000{i}.ckpt, best val loss 0.{i}\n" for i in (1, 2, 3)),
    "inference": "".join(f"iteration {i}: latency 3.{i}ms, throughput 100.{i}\n" for i in (1, 2, 3)),
    "a readme": "# Model\nTrain for 10 epochs with lr 0.1. We get loss 0.3 at epoch 10 and accuracy 93.1%.\n",
    "a how-to": "Step 1: install torch 2.0\nStep 2: set lr to 0.1\nStep 3: run and look at the loss, about 0.5\n",
}


@pytest.mark.parametrize("kind", NO_CURVES)
def test_text_about_training_is_no_training_log(tmp_path: Path, kind: str) -> None:
    with pytest.raises(Unreadable, match="no training curve"):
        read(tmp_path, NO_CURVES[kind])


def test_settings_around_a_log_add_no_points(tmp_path: Path) -> None:
    wanted = STYLES["transfer_tutorial"]()
    around = NO_CURVES["settings"] + NO_CURVES["a report"]
    held_against(read(tmp_path, around + wanted.text + around), wanted)


def test_the_epoch_is_kept_beside_a_step_that_runs_on(tmp_path: Path) -> None:
    text = "".join(f"Epoch {1 + i // 4} step {i * 50}: loss {2 / (i + 1):.4f}\n" for i in range(12))
    loss = read(tmp_path, text).get("train/loss")
    assert loss is not None and loss.epoch is not None
    assert loss.x_name == "step" and loss.x.tolist() == [i * 50 for i in range(12)]
    assert loss.epoch.tolist() == [1] * 4 + [2] * 4 + [3] * 4


def test_a_step_that_begins_again_with_every_epoch_is_no_axis(tmp_path: Path) -> None:
    text = "".join(f"Epoch {1 + i // 4} batch {i % 4}: loss {2 / (i + 1):.4f}\n" for i in range(12))
    loss = read(tmp_path, text).get("train/loss")
    assert loss is not None and loss.x_name == "row" and loss.epoch is not None
    assert loss.epoch.tolist() == [1] * 4 + [2] * 4 + [3] * 4


def test_several_runs_in_one_file_are_counted_and_their_axis_is_kept(tmp_path: Path) -> None:
    run = "$ python train.py\n" + "".join(
        f"Epoch {e}/4 loss: {2 / e:.3f} val_loss: {2.1 / e:.3f}\n" for e in (1, 2, 3, 4)
    )
    found = read(tmp_path, run * 3)
    loss = found.get("train/loss")
    assert loss is not None and loss.x.tolist() == [1, 2, 3, 4] * 3
    assert found.warnings == ("3 runs (or stages of one) in this file; the last is judged.",)


def test_a_resumed_run_says_what_was_written_twice(tmp_path: Path) -> None:
    epochs = [1, 2, 3, 4, 5, 4, 5, 6, 7]
    found = read(tmp_path, "".join(f"Epoch {e}/7 loss: {2 / e:.3f}\n" for e in epochs))
    loss = found.get("train/loss")
    assert loss is not None and loss.x.tolist() == epochs
    assert found.warnings == ("resumed 1 time (2 points were written twice; the later ones count).",)


quick = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
TOOLS = [n for n in STYLES if not n.startswith("prefix")]
LATE = {"fairseq_new", "pytorch_imagenet", "deepspeed_swin"}
"""Cut before their first epoch ends there is no mean yet: its steps, or the meter of the evaluation, are the curve."""
WHOLE = [n for n in TOOLS if n not in LATE]


@quick
@given(st.sampled_from(WHOLE), st.floats(0.3, 1))
@example("tqdm_postfix", 0.5)
def test_a_log_that_was_cut_gives_the_beginning_of_its_curves(tmp_path: Path, name: str, share: float) -> None:
    whole = STYLES[name]()
    data = whole.text.encode()
    cut = data[: int(share * len(data))]
    try:
        found = read(tmp_path, cut)
    except Unreadable:
        return
    for name in whole.curves:
        if (curve := found.get(name)) is not None:
            kept = curve.y[:-1]  # the last number may have lost digits, or its bar its last states
            np.testing.assert_allclose(kept, whole.curves[name][: len(kept)], rtol=1e-3)


@quick
@given(st.sampled_from(TOOLS), st.lists(st.tuples(st.integers(0, 5000), st.binary(max_size=6)), max_size=6))
@example("nanogpt", [(10, b"\x00\xff")])
def test_damaged_logs_raise_nothing_but_unreadable(tmp_path: Path, name: str, edits: list[tuple[int, bytes]]) -> None:
    data = STYLES[name]().text.encode()
    for place, junk in edits:
        data = data[: place % len(data)] + junk + data[place % len(data) :]
    try:
        found = read(tmp_path, data)
    except Unreadable:
        return
    assert all(len(s.x) == len(s.y) and (s.epoch is None or len(s.epoch) == len(s.x)) for s in found.series)
