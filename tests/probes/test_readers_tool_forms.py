"""Printed logs of tools that say things in their own way: banners, prose, bars without a bar, boxes."""

from __future__ import annotations

import time

import pytest

from probes.discover import discover
from probes.names import canonical
from probes.readers.logs.printed.stdout_lines import parse_line
from probes.readers.logs.printed.stdout_text import tidy

LOSS, OTHER, SCORE = [2.44, 1.32, 0.75], [2.51, 1.63, 1.10], [19.0, 43.3, 67.6]


def lines(form: str) -> str:
    """One line an epoch: {e} its number, {a} and {b} the losses, {c} a percentage."""
    return "".join(form.format(e=e, a=LOSS[e], b=OTHER[e], c=SCORE[e], n=(e + 1) * 10) for e in range(3))


def read(folder, text: str, encoding: str = "utf-8") -> dict[str, list[float]]:
    (folder / "train.log").write_text(text, encoding=encoding)
    return {s.name: s.y.tolist() for log in discover([folder / "train.log"]).logs for s in log.series}


LOSSES = {"train/loss": LOSS, "val/loss": OTHER}
FORMS = {
    "a percentage of the run, rewritten in place": (
        "Read 2M words\n" + "".join(f"\rProgress: {20 * i}.5% words/sec/thread: 4{i}00 lr: 0.0{5 - i} avg.loss: {y} "
                                    for i, y in enumerate(LOSS, 1)) + "\n",
        {"train/loss": LOSS, "lr": [0.04, 0.03, 0.02]},
    ),
    "a title with an epoch before the evaluation": (
        lines("Start of epoch {e}/3\n[2023-01-01 00:00:0{e},1] [INFO] [Rank 0] step={n}, lr=[0.01, 0.02]\n"
              "Epoch: {e}, Step: 9, loss = {a}\n***** Evaluating, Epoch {e}/3 *****\nppl: 9.1, loss: {b}\n"),
        {**LOSSES, "lr": [0.01] * 3},
    ),
    "a bar of few words": (
        lines("INFO :: Progress on:train {n}.0it/1.0kit rate:3.2it/s remaining:01:0{e} postfix:loss:{a}\n"),
        {"train/loss": LOSS},
    ),
    "the step between the name and its number": (
        lines("Train loss {n} {a} Grad Norm 1.5 1.02s/it\nValidation loss {n}: {b}\n"),
        {**LOSSES, "grad_norm": [1.5] * 3},
    ),
    "a name in angle brackets": (
        lines("#quality_metric: host=algo-1, epoch={e}, train cross_entropy <loss>={a}\n"
              "#quality_metric: host=algo-1, epoch={e}, validation cross_entropy <loss>={b}\n"),
        LOSSES,
    ),
    "a count of what has no end": (
        lines("Epoch #{e}: 1001it [00:10, 95.1it/s, env_step={n}, loss={a}, rew={c}]\n"
              "Epoch #{e}: test_reward: {b} ± 0.100\n"),
        {"train/loss": LOSS, "rollout/reward": SCORE, "test/reward": OTHER},
    ),
    "prose": (
        lines("Starting iteration {e}\nAverage undiscounted return per training episode: {c}\nSaved.\n"),
        {"rollout/reward": SCORE},
    ),
    "what the score is at an iteration": (
        lines("12:00:0{e} [main] INFO o.d.o.l.ScoreIterationListener - Score at iteration {n} is {a}\n"),
        {"train/loss": LOSS},
    ),
    "a split that is that of one number": (
        lines("INFO:root:[Epoch {e}] train=0.5{e} val=0.6{e} loss={a} time: 31.2\n"),
        {"train/loss": LOSS, "train/score": [0.50, 0.51, 0.52], "val/score": [0.60, 0.61, 0.62]},
    ),
    "a value that is not known yet": (
        "Epoch 0 | iter 0 | loss train: 3.1, val: n/a | iter time: 9.1 ms (step)\n"
        + lines("Epoch 1 | iter {n} | loss train: {a}, val: {b} | iter time: 9.1 ms (step)\n"),
        {"train/loss": [3.1, *LOSS], "val/loss": OTHER},
    ),
    "seconds that are called cost": (
        lines("[Train][Epoch {e}/3][Avg]CELoss: {a}, loss: {a}, batch_cost: 0.61s, reader_cost: 0.3{e}\n"),
        {"train/loss": LOSS},
    ),
    "meters whose averages follow": (
        lines("Epoch: [{e}]  [ 0/10]  eta: 0:00:10  loss: 9.1 (9.2)  time: 0.3\n"
              "Averaged stats: loss: 9.0 ({a})\nTest:  [ 0/5]  eta: 0:00:10  loss: 8.1 (8.2)  time: 0.3\n"
              "Averaged stats: loss: 8.0 ({b})\n"),
        {"train/loss": LOSS, "test/loss": OTHER},
    ),
    "two bars that take turns": (
        lines("Epoch: {e}\n [=====>]  Step: 20ms | Loss: {a} | Acc: {c}% (190/1000)\b\b\b 9/9 \n"
              " [=====>]  Step: 20ms | Loss: {b} | Acc: 1{e}.0% (10/200)\b\b\b 2/2 \n"),
        {"train/loss": LOSS, "train/accuracy": SCORE, "test/loss": OTHER, "test/accuracy": [10.0, 11.0, 12.0]},
    ),
    "a box after every epoch": (
        lines("   Epoch {e}/3   \n┏━━━━━━━┳━━━━━━┳━━━━━━┓\n┃ Phase ┃ Loss ┃  Acc ┃\n┡━━━━━━━╇━━━━━━╇━━━━━━┩\n"
              "│ Train │ {a} │ {c} │\n│ Valid │ {b} │ 1{e} │\n└───────┴──────┴──────┘\n"),
        {**LOSSES, "train/accuracy": SCORE, "val/accuracy": [10.0, 11.0, 12.0]},
    ),
    "a number in brackets in the bar of an epoch": (
        lines("Epoch: {e}/3, step 50/50 completed (loss: {a}): 100%|███| 50/50 [00:10<00:00,  1.1s/it]\n"),
        {"train/loss": LOSS},
    ),
    "losses in a list, and what an epoch cost": (
        lines("INFO Train Epoch: {e} [50%]\nINFO Losses: [2.{e}, 8.1, 20.1], step: {n}, lr: 0.01, reference_loss: 33\n"
              "INFO ====> Epoch: {e}, cost 50.12 s\n"),
        {"lr": [0.01] * 3},
    ),
    "meters of nothing but time": (
        lines("Epoch: [{e}/3][10/20] Data 0.01 (0.02) Batch 0.5 (0.6) Loss {a} Accuracy 0.5\n"
              "Epoch: [{e}/3][20/20] Data 0.01 (0.02) Batch 0.5 (0.6) Loss {b} Accuracy 0.6\n"),
        {"train/loss": [2.44, 2.51, 1.32, 1.63, 0.75, 1.1], "train/accuracy": [0.5, 0.6] * 3},
    ),
    "the test of the epoch that was loaded": (
        lines("epoch: {e} - train loss: {a} - valid loss: {b}\n")
        + "Epoch loaded: 1 - test loss: 1.55, test CER: 20.1\n",
        {**LOSSES, "test/loss": [1.55]},
    ),
    "a bar of the last batch beside the means": (
        lines("Epoch {e}/3: 100%|###| 9/9 [00:05<00:00, 20.1it/s, loss=0.5{e}]\n"
              "Epoch {e}: train_loss={a}, val_loss={b}\n"),
        LOSSES,
    ),
    "Turkish": (lines("Epoch {e}/3 | Eğitim Kaybı: {a} | Doğrulama Kaybı: {b}\n"), LOSSES),
    "the classes' row of an image classifier": (
        lines("   Epoch    GPU_mem     loss  Instances     Size\n"
              "   {e}/3       1.2G     {a}         16      224: 100%|██████████| 9/9 [00:05<00:00,  9.5it/s]\n"
              "             classes   top1_acc   top5_acc: 100%|██████████| 2/2 [00:01<00:00,  9.1it/s]\n"
              "                 all      0.{n}       0.9\n"),
        {"train/loss": LOSS, "val/accuracy": [0.1, 0.2, 0.3]},
    ),
    "t and v": (lines("Ep {e}/3 | t_loss {a} | v_loss {b} | v_acc {c}\n"), {**LOSSES, "val/accuracy": SCORE}),
    "E for epoch": (lines("E00{e} trn_loss={a} val_loss={b}\n"), LOSSES),
    "a bar that is called by its loss": (
        "".join(f"\rloss: {y}: {30 * i}%|###   | {i}/3 [00:01<00:02,  1.1it/s]" for i, y in enumerate(LOSS, 1)) + "\n",
        {"train/loss": LOSS},
    ),
    "splits in brackets": (
        lines("--- Epoch {e} ---\n[train]\n  loss: {a}  acc: {c}\n[val]\n  loss: {b}  acc: 1{e}\n"),
        {**LOSSES, "train/accuracy": SCORE, "val/accuracy": [10.0, 11.0, 12.0]},
    ),
    "a counter and a time": (lines("[0{e}/03] 1m 12s | train loss ⬇ {a} | valid loss ⬇ {b}\n"), LOSSES),
}  # fmt: skip


@pytest.mark.parametrize("name", FORMS)
def test_its_curves_are_read(tmp_path, name) -> None:
    text, wanted = FORMS[name]
    found = read(tmp_path, text)
    assert {key: found.get(key) for key in wanted} == wanted
    assert not [key for key in found if key.endswith(("/loss", "/accuracy", "reward")) and key not in wanted]


@pytest.mark.parametrize("what", ["(", "train/", "n/a a:", "a_cost", "1it [1", "train loss 1 "])
def test_a_long_line_of_one_thing_is_read_in_no_time(what) -> None:
    line = ("epoch 1 n/a / loss " + what * 4900)[:4900]
    start = time.process_time()
    parse_line(tidy(line))
    assert time.process_time() - start < 0.3


def test_how_long_a_step_took_is_no_accuracy(tmp_path) -> None:
    assert read(tmp_path, "".join(f"  ok step {i} computes accuracy ({i} ms)\n" for i in range(20))) == {}


def test_losses_of_a_policy_and_a_value_are_no_splits(tmp_path) -> None:
    assert "val/loss" not in read(tmp_path, lines("Epoch {e} | t_loss {a} | v_loss {b} | p_loss 0.1{e}\n"))


def test_rows_whose_settings_differ_are_trials(tmp_path) -> None:
    rows = "".join(f"0.00{i},{32 * i},0.8{i},0.{9 - i}\n" for i in range(1, 9))
    assert read(tmp_path, "lr,batch_size,val_acc,val_loss\n" + rows) == {}


def test_bars_of_one_data_set_are_not_told_apart(tmp_path) -> None:
    text = lines("Epoch: {e}\n [=====>]  Step: 20ms | Loss: {a} | Acc: {c}% (190/1000)\b\b\b 9/9 \n")
    assert read(tmp_path, text)["train/loss"] == LOSS


@pytest.mark.parametrize(
    ("form", "encoding"),
    [
        ("에폭 {e}/3 | 훈련 손실: {a} | 검증 손실: {b} | 소요 시간: 12초\n", "cp949"),
        ("エポック {e}/3: 学習損失={a} 検証損失={b} 時間=10秒\n", "cp932"),
        ("第 {e} 輪 訓練損失: {a} 驗證損失: {b} 耗時: 12 秒\n", "cp950"),
        ("第 {e} 轮 训练损失: {a} 验证损失: {b} 耗时: 12 秒\n", "gb18030"),
        ("Эпоха {e} из 3. Ошибка на обучении: {a}, ошибка на валидации: {b}\n", "cp1251"),
        ("Époque {e}/3 — perte : {a} — perte de validation : {b}\n", "cp1252"),
        ("Epoche {e}/3 - Trainingsverlust: {a}, Validierungsverlust: {b} (für läufige Größe)\n", "latin-1"),
    ],
)
def test_the_encodings_of_windows(tmp_path, form, encoding) -> None:
    found = read(tmp_path, lines(form), encoding)
    assert {key: found.get(key) for key in LOSSES} == LOSSES


@pytest.mark.parametrize(
    ("name", "called"),
    [
        ("gNorm", "grad_norm"),
        ("optim/total_grad_norm", "grad_norm"),
        ("l2_norm/grad/global", "grad_norm"),
        ("Train lr-DecoupledAdamW/group0", "lr"),
        ("optim0_lr0", "lr"),
        ("Total reward", "rollout/reward"),
        ("episodic_return", "rollout/reward"),
        ("eval episode return", "val/reward"),
        ("reader_cost", "sys/time"),
        ("total cost", "train/loss"),
        ("Running Loss", "train/loss"),
        ("reward model", "reward_model"),
    ],
)
def test_names_that_tools_have_for_it(name, called) -> None:
    assert canonical(name) == called
