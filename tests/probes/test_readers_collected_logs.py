"""Printed logs of clusters, collectors and tools that the collections of styles lack; and what each reads as."""

from __future__ import annotations

import json

import pytest

from probes.discover import discover

LOSS, OTHER, SCORE = [2.44, 1.32, 0.75], [2.51, 1.63, 1.10], [19.0, 43.3, 67.6]
EVERY = [(i, LOSS[i], OTHER[i], SCORE[i]) for i in range(3)]


def lines(form: str) -> str:
    """One line an epoch: {e} its number, {a} and {b} the losses, {c} a percentage."""
    return "".join(form.format(e=e, a=a, b=b, c=c) for e, a, b, c in EVERY)


def read(folder, text: str, name: str = "train.log") -> dict[str, list[float]]:
    (folder / name).write_text(text, encoding="utf-8")
    found = discover([folder / name])
    return {s.name: s.y.tolist() for log in found.logs for s in log.series}


LOSSES = {"train/loss": LOSS, "val/loss": OTHER}
FORMS = {
    "a bar before the record on its line": (
        "  14%|█▍    | 1/7 [00:10<01:00, 10.1s/it]{{'loss': {a}, 'learning_rate': 0.001, 'epoch': {e}.5}}\n"
        "{{'eval_loss': {b}, 'epoch': {e}.5}}\n",
        LOSSES,
    ),
    "a table with percentages before its bars": (
        "| {e} | {a:.4f} | {b:.4f} | {c:.2f}% | 1.0e-03 |\n",
        {**LOSSES, "val/accuracy": SCORE, "lr": [0.001] * 3},
    ),
    "the split in brackets behind the metric": (
        ">>> epoch {e:03d} :: loss(train)={a} loss(val)={b} acc(val)={c}%\n",
        {**LOSSES, "val/accuracy": SCORE},
    ),
    "a sentence when an epoch is over": (
        "10:00:00,123 [INFO] __main__: Finished epoch {e}. Mean train loss {a}; mean validation loss {b}.\n",
        LOSSES,
    ),
    "the split as a field": ("epoch={e} split=train loss={a}\nepoch={e} split=valid loss={b}\n", LOSSES),
    "the split alone on a line, in capitals": (
        "EPOCH {e}\n====\nTRAIN\n  loss : {a}\nVALIDATION\n  loss : {b}\n\n",
        LOSSES,
    ),
    "metrics for a step": (
        "I0501 10:00:0{e}.123456 139 trainer.py:500] Metrics for step {e}00: {{'loss': {a}}}\n",
        {"train/loss": LOSS},
    ),
    "tabs as a system log writes them": (
        "2024-01-01T00:00:0{e}.123Z algo-1-abcde | [{e}]#011train-error:{a}#011validation-error:{b}\n",
        {"train/error": LOSS, "val/error": OTHER},
    ),
    "Julia's numbers": ("[ Info: Epoch: {e}  Train: (loss = {a}f0, acc = {c})  Test: (loss = {b}f0, acc = {c})\n",
                        {"train/loss": LOSS, "test/loss": OTHER}),
    "MATLAB's header of two lines": (
        "|{e:>8} |  50 |  00:00:1{e} |  11.00% | {c:.2f}% | {a} | {b} |  0.0010 |\n",
        {"val/loss": OTHER, "val/accuracy": SCORE},
    ),
}  # fmt: skip
BEFORE = {
    "a table with percentages before its bars": "| Epoch | Train Loss | Val Loss | Val Acc | LR |\n",
    "MATLAB's header of two lines": (
        "| Epoch | Iteration  |  Time Elapsed  |  Mini-batch  |  Validation  |  Mini-batch  |  Validation  |  Base |\n"
        "|  |  |  (hh:mm:ss)  |  Accuracy  |  Accuracy  |  Loss  |  Loss  |  Rate  |\n"
    ),
}


@pytest.mark.parametrize("name", FORMS)
def test_its_curves_are_read(tmp_path, name):
    form, wanted = FORMS[name]
    found = read(tmp_path, BEFORE.get(name, "") + lines(form))
    assert {k: found.get(k) for k in wanted} == wanted


def test_lines_that_a_container_wrapped_into_json_are_unwrapped(tmp_path):
    records = [{"log": f"epoch {e} train_loss={a} val_loss={b}\n", "stream": "stdout"} for e, a, b, _ in EVERY]
    assert read(tmp_path, "\n".join(map(json.dumps, records))) == LOSSES


def test_a_section_of_settings_in_capitals_announces_no_split(tmp_path):
    settings = "TRAIN\n  WORKERS: 4\nTEST\n  BATCH: 16\n"
    assert list(read(tmp_path, settings + lines("epoch {e} loss {a}\n"))) == ["train/loss"]


def test_results_of_rllib_run_over_their_iterations(tmp_path):
    records = [{"episode_reward_mean": c, "training_iteration": e + 1, "config": {"lr": 5e-5}} for e, _, _, c in EVERY]
    assert read(tmp_path, "\n".join(map(json.dumps, records)))["rollout/reward"] == SCORE


def test_final_values_of_many_runs_are_no_curve(tmp_path):
    table = "lr,batch_size,final_loss,final_acc\n" + lines("0.00{e},32,{a},{c}\n")
    assert read(tmp_path, table, "ablation.csv") == {}


FINAL = {
    "Keras": "Test loss: 0.3663\nTest accuracy: 0.9045\n",
    "one line": "==========test_loss: 0.3663\t test_acc: 0.9045\t test_acc5: 0.99\n",
    "examples": "\nTest set: Average loss: 0.3663, Accuracy: 9045/10000 (90%)\n",
}


@pytest.mark.parametrize("kind", FINAL)
def test_the_result_on_the_test_set_is_one_point(tmp_path, kind: str) -> None:
    epochs = "".join(f"Epoch {e}/9 loss: {1 / e:.4f} val_loss: {1.1 / e:.4f}\n" for e in range(1, 10))
    found = read(tmp_path, epochs + FINAL[kind])
    assert found["test/loss"] == [0.3663] and found["test/accuracy"] in ([0.9045], [90])
    assert len(found["train/loss"]) == len(found["val/loss"]) == 9


def test_a_test_before_the_last_epoch_is_no_result(tmp_path) -> None:
    epochs = [f"Epoch {e}/9 loss: {1 / e:.4f}\n" for e in range(1, 10)]
    assert "test/loss" not in read(tmp_path, "".join([*epochs[:4], "Test loss: 0.3663\n", *epochs[4:]]))
