"""More logs as tools and people print them: bars, language models, boosting, reinforcement learning, other languages."""

# ruff: noqa: E501  log lines are as long as the tools print them

from __future__ import annotations

from log_styles import STYLES, Style, falling, rising, style


@style
def average_meter_inside_epochs() -> Style:
    train = falling(2, 2.4)
    text = ""
    for e in range(2):
        for k in (0, 100, 200):
            text += f"Epoch: [{e}][{k}/200]\tTime 0.126 (0.575)\tLoss {train[e] + 0.3:.4f} ({train[e] + (200 - k) / 1000:.4f})\tPrec@1 18.0 (17.818)\n"
    return Style(text, {"train/loss": train, "train/accuracy": [17.818] * 2}, {"train/loss": [0, 1]})


@style
def tqdm_postfix() -> Style:
    train = falling(3)
    text = ""
    for e in range(3):
        for k in (1, 50, 100):
            text += f"\rEpoch {e}: {k:>3d}%|{'█' * (k // 10)}{' ' * (10 - k // 10)}| {k}/100 [00:{k // 10:02d}<00:09, 10.04it/s, loss={train[e] + (100 - k) / 100:.3f}, lr=0.001]"
        text += "\n"
    return Style(text, {"train/loss": train, "lr": [0.001] * 3}, {"train/loss": [0, 1, 2]})


@style
def tqdm_and_a_line() -> Style:
    train, val = falling(3), falling(3, 2.8)
    text = ""
    for e in range(3):
        text += f"Epoch {e + 1}/3\n"
        for k in (25, 50, 100):
            text += f"\r{k:>3d}%|{'█' * (k // 10)}| {k}/100 [00:{k // 10:02d}<00:09, 10.04it/s]"
        text += f"\nTrain Loss: {train[e]:.4f} | Train Acc: 51.12%\nVal Loss: {val[e]:.4f} | Val Acc: 41.50%\nBest model saved!\n"
    return Style(
        text,
        {"train/loss": train, "val/loss": val, "train/accuracy": [51.12] * 3, "val/accuracy": [41.5] * 3},
        {"train/loss": [1, 2, 3]},
    )


@style
def lightning_bars() -> Style:
    train, val = falling(3), falling(3, 2.8)
    text = "GPU available: True (cuda), used: True\nTPU available: False, using: 0 TPU cores\nLOCAL_RANK: 0 - CUDA_VISIBLE_DEVICES: [0]\n\n  | Name  | Type   | Params\n---------------------------------\n0 | model | Linear | 7.9 K \n---------------------------------\n7.9 K     Trainable params\n0         Non-trainable params\n0.031     Total estimated model params size (MB)\n"
    text += "Sanity Checking: 0it [00:00, ?it/s]\rSanity Checking DataLoader 0: 100%|██████████| 2/2 [00:00<00:00, 90.1it/s]\n"
    for e in range(3):
        old = "" if e == 0 else f", train_loss={train[e - 1]:.3f}, val_loss={val[e - 1]:.3f}"
        text += f"\rEpoch {e}:   0%|          | 0/100 [00:00<?, ?it/s, v_num=3{old}]"
        text += f"\rEpoch {e}:  50%|█████     | 50/100 [00:05<00:05, 9.91it/s, v_num=3{old}]"
        text += "\rValidation DataLoader 0: 100%|██████████| 20/20 [00:01<00:00, 19.8it/s]"
        text += f"\rEpoch {e}: 100%|██████████| 100/100 [00:10<00:00,  9.82it/s, v_num=3, train_loss={train[e]:.3f}, val_loss={val[e]:.3f}]\n"
    text += "`Trainer.fit` stopped: `max_epochs=3` reached.\n"
    return Style(text, {"train/loss": train, "val/loss": val}, {"train/loss": [0, 1, 2]})


@style
def nanogpt() -> Style:
    train, val, step = falling(2, 10.8, 4), falling(2, 10.9, 4), falling(6, 10.9, 4)
    text = "Overriding: dataset = shakespeare_char\nlearning_rate = 6e-4 # max learning rate\ntokens per iteration will be: 491,520\nfound vocab_size = 65 (inside data/meta.pkl)\nnumber of parameters: 10.65M\nnum decayed parameter tensors: 26, with 10,740,096 parameters\nusing fused AdamW: True\ncompiling the model... (takes a ~minute)\n"
    for i in range(6):
        if i % 3 == 0:
            text += (
                f"step {i * 10}: train loss {train[i // 3]:.4f}, val loss {val[i // 3]:.4f}\nsaving checkpoint to out\n"
            )
        text += f"iter {i * 10}: loss {step[i]:.4f}, time 98.51ms, mfu {-100 if i < 2 else 3.1:.2f}%\n"
    return Style(
        text,
        {"train/loss": step, "train/loss_eval": train, "val/loss": val},
        {"val/loss": [0, 30], "train/loss": [0, 10, 20, 30, 40, 50]},
    )


@style
def llm_c() -> Style:
    train, val = falling(4, 6.5), falling(2, 6.47)
    text = ""
    for i in range(4):
        text += f"s:{i * 10} trl:{train[i]} lr:0.0002 norm:0.8\n"
        if i % 2 == 0:
            text += f"s:{i * 10} tel:{val[i // 2]}\n"
    return Style(
        text,
        {"train/loss": train, "val/loss": val, "lr": [0.0002] * 4, "grad_norm": [0.8] * 4},
        {"val/loss": [0, 20]},
        {"val/loss": "step"},
    )


@style
def llm_c_console() -> Style:
    train, val = falling(4, 10.9, 6), falling(2, 10.9, 6)
    text = "+-----------------------+----------------------------------------------------+\n| Parameter             | Value                                              |\n+-----------------------+----------------------------------------------------+\n| learning rate (LR)    | 6.000000e-04                                       |\n| max_sequence_length T | 1024                                               |\n+-----------------------+----------------------------------------------------+\n"
    for i in range(4):
        if i % 2 == 0:
            text += f"val loss {val[i // 2]:.6f}\n"
        text += f"step {i + 1:>4}/4 | loss {train[i]:.6f} (+nanz)| norm 15.3540 (+nanz)| lr 6.00e-04 | 1200.53 ms | 44.1% bf16 MFU | 436743 tok/s\n"
    return Style(
        text,
        {"train/loss": train, "val/loss": val, "lr": [6e-4] * 4, "grad_norm": [15.354] * 4},
        {"train/loss": [1, 2, 3, 4]},
    )


@style
def modded_nanogpt() -> Style:
    train, val = falling(4, 10.8), falling(2, 10.83)
    text = 'import os\nimport sys\nwith open(sys.argv[0]) as f:\n    code = f.read() # read the code of this file ASAP\nclass Muon(torch.optim.Optimizer):\n    def __init__(self, params, lr=0.02, momentum=0.95):\n        loss = 0.0\n        print(f"step:{step}/{args.num_iterations} val_loss:{val_loss:.4f}")\n====================================================================================================\nRunning pytorch 2.6.0 compiled for CUDA 12.6\n'
    for i in range(4):
        if i % 2 == 0:
            text += f"step:{i}/4 val_loss:{val[i // 2]:.4f} train_time:{i * 80}ms step_avg:{'nan' if i == 0 else '80.10'}ms\n"
        text += f"step:{i + 1}/4 train_loss:{train[i]:.4f} train_time:{i * 80 + 40}ms step_avg:{'nan' if i == 0 else '80.10'}ms\n"
    return Style(text, {"train/loss": train, "val/loss": val}, {"val/loss": [0, 2]}, {"val/loss": "step"})


@style
def hf_dicts() -> Style:
    train, val, norm = falling(4, 2.1), falling(2, 1.9), falling(4, 3.2)
    text = "Some weights of BertForSequenceClassification were not initialized from the model checkpoint at bert-base-uncased\n***** Running training *****\n  Num examples = 3,668\n  Num Epochs = 2\n  Total optimization steps = 40\n"
    for i in range(4):
        text += f"{{'loss': {train[i]}, 'grad_norm': {norm[i]}, 'learning_rate': 1e-05, 'epoch': {(i + 1) / 2}}}\n"
        text += f" {25 * (i + 1)}%|███       | {10 * (i + 1)}/40 [00:05<00:15,  2.00it/s]\n"
        if i % 2:
            text += f"{{'eval_loss': {val[i // 2]}, 'eval_accuracy': 0.81, 'eval_runtime': 1.5, 'eval_samples_per_second': 270.1, 'epoch': {(i + 1) / 2}}}\n"
    text += "{'train_runtime': 20.1, 'train_samples_per_second': 365.1, 'train_loss': 1.5, 'epoch': 2.0}\n"
    return Style(
        text,
        {"train/loss": train, "val/loss": val, "grad_norm": norm, "lr": [1e-5] * 4, "val/accuracy": [0.81] * 2},
        {"train/loss": [0.5, 1, 1.5, 2], "val/loss": [1, 2]},
    )


@style
def hf_dicts_behind_bars() -> Style:
    train = falling(4, 2.1)
    text = ""
    for i in range(4):
        text += f" {25 * (i + 1)}%|███       | {10 * (i + 1)}/40 [00:05<00:15,  2.00it/s]\r{'':>60}\r{{'loss': '{train[i]}', 'learning_rate': '1e-05', 'epoch': '{(i + 1) / 2}'}}\n"
    return Style(text, {"train/loss": train, "lr": [1e-5] * 4}, {"train/loss": [0.5, 1, 1.5, 2]})


@style
def hf_notebook_table() -> Style:
    train, val = falling(3, 1.2), falling(3, 1.1)
    text = "Step\tTraining Loss\tValidation Loss\n"
    text += "".join(f"{500 * (i + 1)}\t{train[i]:.6f}\t{val[i]:.6f}\n" for i in range(3))
    return Style(text, {"train/loss": train, "val/loss": val}, {"train/loss": [500, 1000, 1500]})


@style
def xgboost() -> Style:
    train, val = falling(4, 0.6, 5), falling(4, 0.65, 5)
    text = "Will train until validation_0-logloss hasn't improved in 10 rounds.\n"
    text += "".join(f"[{i}]\ttrain-logloss:{train[i]}\teval-logloss:{val[i]}\n" for i in range(4))
    return Style(
        text + "Stopping. Best iteration:\n[3]\ttrain-logloss:0.1\teval-logloss:0.2\n\n",
        {"train/logloss": train, "val/logloss": val},
        {"train/logloss": [0, 1, 2, 3]},
    )


@style
def lightgbm() -> Style:
    train, val = falling(4, 0.6, 5), falling(4, 0.65, 5)
    text = "[LightGBM] [Info] Number of positive: 212, number of negative: 357\n[LightGBM] [Info] Total Bins 4542\nTraining until validation scores don't improve for 100 rounds\n"
    text += "".join(
        f"[{100 * (i + 1)}]\ttraining's binary_logloss: {train[i]}\tvalid_1's binary_logloss: {val[i]}\n"
        for i in range(4)
    )
    return Style(
        text
        + "Early stopping, best iteration is:\n[300]\ttraining's binary_logloss: 0.2\tvalid_1's binary_logloss: 0.3\n",
        {"train/binary_logloss": train, "val/1_binary_logloss": val},
        {"train/binary_logloss": [100, 200, 300, 400]},
    )


@style
def catboost() -> Style:
    train, val = falling(4, 0.6, 5), falling(4, 0.65, 5)
    text = "Learning rate set to 0.03\n"
    text += "".join(
        f"{i * 10}:\tlearn: {train[i]:.7f}\ttest: {val[i]:.7f}\tbest: {val[i]:.7f} ({i * 10})\ttotal: {50 * i + 5}ms\tremaining: 5.1s\n"
        for i in range(4)
    )
    return Style(
        text + "\nbestTest = 0.26\nbestIteration = 30\n",
        {"train/loss": train, "val/loss": val},
        {"train/loss": [0, 10, 20, 30]},
    )


@style
def sklearn_mlp() -> Style:
    train, val = falling(4, 2.2, 8), rising(4)
    text = "".join(f"Iteration {i + 1}, loss = {train[i]:.8f}\nValidation score: {val[i]:.6f}\n" for i in range(4))
    text += "Validation score did not improve more than tol=0.000100 for 10 consecutive epochs. Stopping.\n"
    return Style(
        text,
        {"train/loss": train, "val/score": val},
        {"train/loss": [1, 2, 3, 4], "val/score": [1, 2, 3, 4]},
        {"train/loss": "step"},
    )


@style
def stable_baselines() -> Style:
    reward, loss = [-20.1, 12.5, 180.0], [12.1, 6.2, 3.1]
    text = "Using cpu device\nWrapping the env in a DummyVecEnv.\n"
    for i in range(3):
        text += "-----------------------------------------\n| rollout/                |             |\n|    ep_len_mean          | 24.1        |\n"
        text += f"|    ep_rew_mean          | {reward[i]:<11} |\n| time/                   |             |\n|    fps                  | 1021        |\n|    iterations           | {i + 1:<11} |\n|    total_timesteps      | {2048 * (i + 1):<11} |\n"
        if i:
            text += f"| train/                  |             |\n|    approx_kl            | 0.008       |\n|    learning_rate        | 0.0003      |\n|    loss                 | {loss[i]:<11} |\n"
        text += "-----------------------------------------\n"
    return Style(
        text,
        {"rollout/reward": reward, "train/loss": loss[1:], "lr": [0.0003] * 2},
        {"rollout/reward": [2048, 4096, 6144]},
    )


@style
def markdown_table() -> Style:
    train, val = falling(4), falling(4, 2.8)
    text = "# My model\n\nTrained on 2 GPUs for 4 epochs.\n\n## Results\n\n| Epoch | Train Loss | Val Loss | Val Acc |\n|:-----:|-----------:|---------:|--------:|\n"
    text += "".join(f"| {i + 1} | {train[i]} | {val[i]} | {50 + i:.2f}% |\n" for i in range(4))
    return Style(
        text + "\n## Usage\n\nRun `train.py --lr 0.1`.\n",
        {"train/loss": train, "val/loss": val, "val/accuracy": [50, 51, 52, 53]},
        {"val/loss": [1, 2, 3, 4]},
    )


@style
def box_table_with_blanks() -> Style:
    train, val = falling(4), falling(4, 2.8)
    text = "Training on cuda\n  Epoch    Train loss    Valid loss    Dur\n-------  ------------  ------------  -----\n"
    text += "".join(
        f"      {i + 1}        \x1b[36m{train[i]:.4f}\x1b[0m        \x1b[32m{val[i]:.4f}\x1b[0m  0.{i}123\n"
        for i in range(4)
    )
    return Style(text, {"train/loss": train, "val/loss": val}, {"val/loss": [1, 2, 3, 4]})


@style
def skorch_table() -> Style:
    train, val, accuracy = falling(4), falling(4, 2.8), rising(4)
    text = "  epoch    train_loss    valid_acc    valid_loss     dur\n-------  ------------  -----------  ------------  ------\n"
    text += "".join(
        f"{i + 1:>7}        \x1b[36m{train[i]:.4f}\x1b[0m       \x1b[32m{accuracy[i]:.4f}\x1b[0m        \x1b[35m{val[i]:.4f}\x1b[0m  0.{i}123\n"
        for i in range(4)
    )
    return Style(text, {"train/loss": train, "val/loss": val, "val/accuracy": accuracy}, {"val/loss": [1, 2, 3, 4]})


@style
def ultralytics_console() -> Style:
    box, maps = falling(3, 1.5), rising(3, 0.1)
    text = "Ultralytics YOLOv8.0.20 Python-3.9.16 torch-1.13.1 CUDA:0 (Tesla T4, 15102MiB)\nengine/trainer: task=detect, mode=train, model=yolov8n.pt, epochs=3, lr0=0.01, lrf=0.01, momentum=0.937, box=7.5, cls=0.5\n                   from  n    params  module                                       arguments                     \n  0                  -1  1       464  ultralytics.nn.modules.Conv                  [3, 16, 3, 2]                 \n"
    for e in range(3):
        text += "\n      Epoch    GPU_mem   box_loss   cls_loss   dfl_loss  Instances       Size\n"
        for k in (1, 8):
            text += f"        {e + 1}/3      2.1G      {box[e] + 8 - k:.3f}      3.214      1.321         55        640: {100 * k // 8:>3}%|██████████| {k}/8 [00:05<00:00,  1.5it/s]\r"
        text += "\n                 Class     Images  Instances      Box(P          R      mAP50  mAP50-95): 100%|██████████| 4/4 [00:01<00:00,  3.2it/s]\n"
        text += f"                   all        128        929      0.640      0.537      {maps[e]:.3f}      0.446\n"
    return Style(text, {"train/box_loss": box, "val/map50": maps}, {"train/box_loss": [1, 2, 3]})


@style
def yolov5_console() -> Style:
    box, maps = falling(3, 0.09), rising(3, 0.1)
    text = (
        "\x1b[34m\x1b[1mtrain: \x1b[0mweights=yolov5s.pt, cfg=, data=coco128.yaml, epochs=3, batch_size=16, lr0=0.01\n"
    )
    for e in range(3):
        text += "\n     Epoch   gpu_mem       box       obj       cls    labels  img_size\n"
        text += f"       {e}/2     3.57G    {box[e]:.5f}   0.06777   0.01966       215       640: 100%|██████████| 8/8 [00:04<00:00,  1.92it/s]\n"
        text += "               Class     Images     Labels          P          R     mAP@.5 mAP@.5:.95: 100%|██████████| 4/4 [00:02<00:00,  1.7it/s]\n"
        text += f"                 all        128        929      0.605      0.565      {maps[e]:.3f}      0.382\n"
    return Style(text, {"train/box_loss": box, "val/map50": maps}, {"train/box_loss": [0, 1, 2]})


PREFIXES = [
    "2024-01-02 03:04:05,678 - INFO - ",
    "[11/05 23:17:32] d2.utils: ",
    "2025-11-01 20:09:45 |     INFO | on_validation_epoch_end:413 | ",
    "03/13/2020 07:49:29 PM ",
    "I0429 20:28:45.712345 1397 train.py:224] ",
    "INFO:root:",
    "[2024-01-02 03:04:05,678][train][INFO] - ",
    "[rank0]: ",
    "03/13 07:49:29 PM | ",
    "2024-01-02T03:04:05.678901Z ",
    "Mon Jan  2 03:04:05 2024 ",
    "[INFO] 2024-01-02 03:04:05: ",
    "(main pid=1234, ip=10.0.0.1) ",
    "0: ",
    "[1,0]<stdout>:",
    "2024-01-02 03:04:05.678 | INFO     | __main__:train:42 - ",
    "01-02 03:04 root INFO ",
    "[2024-01-02 03:04:05 swin_tiny](main.py 187): INFO ",
    "[default0]:",
    "03:04:05 ",
    "INFO 2024-01-02 03:04:05,678 train.py:81: ",
]


def prefixed(prefix: str) -> Style:
    train, val = falling(3), falling(3, 2.8)
    text = f"{prefix}Using 2137 files for training.\n{prefix}lr: 0.1\n"
    for e in range(3):
        text += (
            f"{prefix}Epoch {e + 1}/3: train_loss: {train[e]:.4f}, val_loss: {val[e]:.4f}, lr: 1.00e-03, time: 12.3s\n"
        )
    return Style(text, {"train/loss": train, "val/loss": val, "lr": [0.001] * 3}, {"train/loss": [1, 2, 3]})


for _place, _prefix in enumerate(PREFIXES):
    STYLES[f"prefix_{_place}"] = lambda p=_prefix: prefixed(p)

LANGUAGES = {
    "chinese": "第 {e}/3 轮：训练损失：{a}，训练准确率：{c}，验证损失：{b}，验证准确率：{d}，学习率：0.001，耗时：12.3秒\n",
    "chinese_bracket": "【轮次 {e}】训练损失={a} 训练准确率={c} 验证损失={b} 验证准确率={d} 学习率=0.001\n最佳验证准确率：0.93\n",
    "japanese": "エポック {e}/3　訓練損失：{a}　訓練精度：{c}　検証損失：{b}　検証精度：{d}　学習率：0.001\n",
    "korean": "에폭 {e}/3 | 학습 손실: {a} | 학습 정확도: {c} | 검증 손실: {b} | 검증 정확도: {d} | 학습률: 0.001\n",
    "russian": "Эпоха {e}/3: ошибка на обучении {a}, точность на обучении {c}, ошибка на валидации {b}, точность на валидации {d}, скорость обучения 0.001\n",
    "spanish": "Época {e}/3 - Pérdida de entrenamiento: {a} - Exactitud de entrenamiento: {c} - Pérdida de validación: {b} - Exactitud de validación: {d} - Tasa de aprendizaje: 0.001\n",
    "portuguese": "Época {e}/3 | Perda de treino: {a} | Acurácia de treino: {c} | Perda de validação: {b} | Acurácia de validação: {d} | Taxa de aprendizado: 0.001\n",
    "french": "Époque {e}/3 : perte d'entraînement {a}, exactitude d'entraînement {c}, perte de validation {b}, exactitude de validation {d}, taux d'apprentissage 0.001\n",
    "german": "Epoche {e}/3: Trainingsverlust: {a}, Trainingsgenauigkeit: {c}, Validierungsverlust: {b}, Validierungsgenauigkeit: {d}, Lernrate: 0.001\n",
}


def spoken(form: str, comma: bool = False) -> Style:
    a, b, c, d = falling(3), falling(3, 2.8), rising(3), rising(3, 0.2)
    text = ""
    for e in range(3):
        line = form.format(e=e + 1, a=f"{a[e]:.4f}", b=f"{b[e]:.4f}", c=f"{c[e]:.4f}", d=f"{d[e]:.4f}")
        text += line.replace(".", ",") if comma else line
    curves = {"train/loss": a, "val/loss": b, "train/accuracy": c, "val/accuracy": d, "lr": [0.001] * 3}
    return Style(text, curves, {"train/loss": [1, 2, 3]})


for _name, _form in LANGUAGES.items():
    STYLES[_name] = lambda f=_form: spoken(f)
STYLES["german_with_decimal_commas"] = lambda: spoken(LANGUAGES["german"].replace(",", ";"), comma=True)
STYLES["portuguese_with_decimal_commas"] = lambda: spoken(LANGUAGES["portuguese"], comma=True)


@style
def thousands_with_commas() -> Style:
    loss = [12345.5, 4321.25, 1234.5, 999.75]
    text = "Number of samples: 1,234,567\n" + "".join(
        f"step {10 * i:,}: loss {v:,}\n" for i, v in zip((50, 100, 150, 200), loss, strict=True)
    )
    return Style(text, {"train/loss": loss}, {"train/loss": [500, 1000, 1500, 2000]})


@style
def thousands_with_blanks_and_decimal_commas() -> Style:
    loss = [12345.5, 4321.25, 1234.5, 999.75]
    text = "".join(
        f"Epoche {i + 1}: Verlust: {v:,}\n".replace(",", "\u202f").replace(".", ",") for i, v in enumerate(loss)
    )
    return Style(text, {"train/loss": loss}, {"train/loss": [1, 2, 3, 4]})


@style
def nan_and_inf() -> Style:
    text = "Epoch 1: loss: 2.3\nEpoch 2: loss: inf\nEpoch 3: loss: nan\nEpoch 4: loss: NaN\nEpoch 5: loss: -inf\nEpoch 6: loss: tensor(0.5, device='cuda:0')\n"
    return Style(text, {"train/loss": [2.3, float("inf"), float("nan"), float("nan"), float("-inf"), 0.5]})


@style
def tensors_printed() -> Style:
    train = falling(4)
    text = "".join(
        f"Epoch: {i} Loss: tensor({v:.4f}, device='cuda:0', grad_fn=<NllLossBackward>)\n" for i, v in enumerate(train)
    )
    return Style(text, {"train/loss": train}, {"train/loss": [0, 1, 2, 3]})


@style
def bare_words() -> Style:
    train = falling(5)
    text = "".join(f"{i} {v}\n" for i, v in enumerate(train))
    return Style("iter loss\n" + text, {"train/loss": train}, {"train/loss": [0, 1, 2, 3, 4]})


@style
def tutorial_loop() -> Style:
    train = falling(6)
    text = "".join(
        f"[{e + 1}, {2000 * (k + 1):>5d}] loss: {train[3 * e + k]:.3f}\n" for e in range(2) for k in range(3)
    )
    return Style(
        text + "Finished Training\nAccuracy of the network on the 10000 test images: 54 %\n", {"train/loss": train}
    )


@style
def tutorial_quickstart() -> Style:
    train, val, accuracy = falling(6, 2.3, 6), falling(2, 2.1, 6), [44.1, 56.3]
    text = "Using cpu device\n"
    for e in range(2):
        text += f"Epoch {e + 1}\n-------------------------------\n"
        for k in range(3):
            text += f"loss: {train[3 * e + k]:>7f}  [{6400 * k + 64:>5d}/60000]\n"
        text += f"Test Error: \n Accuracy: {accuracy[e]:>0.1f}%, Avg loss: {val[e]:>8f} \n\n"
    return Style(
        text + "Done!\n", {"train/loss": train, "test/loss": val, "test/accuracy": accuracy}, {"test/loss": [1, 2]}
    )


@style
def transfer_tutorial() -> Style:
    train, val = falling(3), falling(3, 2.8)
    text = ""
    for e in range(3):
        text += (
            f"Epoch {e}/2\n----------\ntrain Loss: {train[e]:.4f} Acc: 0.6803\nval Loss: {val[e]:.4f} Acc: 0.8301\n\n"
        )
    text += "Training complete in 1m 7s\nBest val Acc: 0.941176\n"
    return Style(
        text,
        {"train/loss": train, "val/loss": val, "train/accuracy": [0.6803] * 3, "val/accuracy": [0.8301] * 3},
        {"val/loss": [0, 1, 2]},
    )


@style
def word_language_model() -> Style:
    train, val = falling(4, 7.6, 2), falling(2, 6.2, 2)
    text = ""
    for e in (1, 2):
        for k in (1, 2):
            text += f"| epoch {e:>3d} | {200 * k:>5d}/ 2983 batches | lr 20.00 | ms/batch 16.32 | loss {train[2 * (e - 1) + k - 1]:>5.2f} | ppl  2023.45\n"
        text += (
            "-" * 89
            + f"\n| end of epoch {e:>3d} | time: 50.12s | valid loss {val[e - 1]:>5.2f} | valid ppl   480.12\n"
            + "-" * 89
            + "\n"
        )
    text += "=" * 89 + "\n| End of training | test loss  5.10 | test ppl   164.12\n" + "=" * 89 + "\n"
    return Style(text, {"train/loss": train, "val/loss": val, "lr": [20.0] * 4}, {"val/loss": [1, 2]})


@style
def opennmt() -> Style:
    train, val, accuracy = falling(4, 9.1, 2), falling(2, 7.1), [21.5, 34.5]
    text = "[2021-01-01 10:00:00,123 INFO] Counter({'src': 2, 'tgt': 2})\n[2021-01-01 10:00:00,123 INFO] encoder: 16506500\n"
    for i in range(4):
        text += f"[2021-01-01 10:00:0{i},123 INFO] Step {50 * (i + 1)}/ 200; acc:   3.63; ppl: 11270.88; xent: {train[i]:.2f}; lr: 1.00000; 3234/3132 tok/s;     10 sec\n"
        if i % 2:
            text += f"[2021-01-01 10:00:0{i},500 INFO] Validation perplexity: 1212.1\n[2021-01-01 10:00:0{i},500 INFO] Validation accuracy: {accuracy[i // 2]}\n"
    del val
    return Style(
        text, {"val/accuracy": accuracy, "train/accuracy": [3.63] * 4, "lr": [1.0] * 4}, {"val/accuracy": [100, 200]}
    )


@style
def megatron() -> Style:
    train, val = falling(4, 10.4), falling(2, 9.1)
    text = "using world size: 8, data-parallel-size: 8\n------------------------ arguments ------------------------\n  lr .............................................. 0.00015\n  clip_grad ....................................... 1.0\n-------------------- end of arguments ---------------------\n"
    for i in range(4):
        text += f" [2024-01-02 03:04:05] iteration {100 * (i + 1):>8d}/     400 | consumed samples: {6400 * (i + 1):>12d} | elapsed time per iteration (ms): 512.3 | learning rate: 1.500E-05 | global batch size: 64 | lm loss: {train[i]:.6E} | loss scale: 1.0 | grad norm: 1.234 | number of skipped iterations:   0 | number of nan iterations:   0 |\n"
        if i % 2:
            text += (
                "-" * 80
                + f"\n validation loss at iteration {100 * (i + 1)} | lm loss value: {val[i // 2]:.6E} | lm loss PPL: 1.2E+02 | \n"
                + "-" * 80
                + "\n"
            )
    return Style(
        text,
        {"train/loss": train, "val/loss": val, "lr": [1.5e-5] * 4, "grad_norm": [1.234] * 4},
        {"train/loss": [100, 200, 300, 400], "val/loss": [200, 400]},
    )


@style
def deepspeed_swin() -> Style:
    train, accuracy = falling(3), [10.1, 31.2, 42.3]
    text = ""
    prefix = "[2021-06-01 10:00:00 swin_tiny_patch4](main.py 187): INFO "
    for e in range(3):
        for k in (0, 100):
            text += f"{prefix}Train: [{e}/3][{k}/101]\teta 0:01:02 lr 0.000100\ttime 0.51 (0.61)\tloss {train[e] + 0.2:.4f} ({train[e] + (100 - k) / 100:.4f})\tgrad_norm 2.12 (2.2)\tmem 9000MB\n"
        text += f"{prefix}EPOCH {e} training takes 0:10:00\n{prefix}Test: [0/10]\tTime 1.2 (1.2)\tLoss 5.9 (5.9)\tAcc@1 1.0 (1.0)\tAcc@5 2.0 (2.0)\tMem 9000MB\n"
        text += f"{prefix} * Acc@1 {accuracy[e]} Acc@5 22.1\n{prefix}Accuracy of the network on the 50000 test images: {accuracy[e]}%\n{prefix}Max accuracy: {accuracy[e]}%\n"
    return Style(
        text,
        {
            "train/loss": train,
            "test/loss": [5.9] * 3,
            "test/accuracy": accuracy,
            "lr": [0.0001] * 3,
            "grad_norm": [2.2] * 3,
        },
        {"train/loss": [0, 1, 2]},
    )


@style
def detr_meters() -> Style:
    train, val = falling(2, 40.1), falling(2, 30.2)
    text = ""
    for e in range(2):
        for k in (0, 10, 20):
            text += f"Epoch: [{e}]  [{k:>4d}/21]  eta: 0:10:00  lr: 0.000100  class_error: 98.1  loss: {train[e] + 3:.4f} ({train[e] + (20 - k) / 10:.4f})  loss_ce: 2.1 (2.2)  time: 0.5123  data: 0.0100  max mem: 4000\n"
        text += f"Epoch: [{e}] Total time: 0:10:00 (0.5 s / it)\nAveraged stats: lr: 0.000100  class_error: 97.1  loss: {train[e]:.4f} ({train[e]:.4f})  loss_ce: 2.1 (2.2)\n"
        for k in (0, 10):
            text += f"Test:  [{k:>4d}/11]  eta: 0:00:10  class_error: 95.1  loss: {val[e]:.4f} ({val[e]:.4f})  loss_ce: 2.0 (2.0)  time: 0.5  data: 0.1  max mem: 4000\n"
    return Style(text, {"train/loss": train, "test/loss": val, "lr": [0.0001] * 2}, {"train/loss": [0, 1]})


@style
def fastai_with_a_bar_in_its_header_and_a_report_after() -> Style:
    train, val, accuracy = falling(3, 0.5), falling(3, 0.4), rising(3, 0.8)
    text = "epoch     train_loss  valid_loss  accuracy  time    ██████████| 100.00% [105070592/105067061 00:03<00:00]\n"
    for i in range(3):
        text += f"{i}         {train[i]:.6f}    {val[i]:.6f}    {accuracy[i]:.6f}  1:12:1{i}\n"
    text += "              precision    recall  f1-score   support\n\n           0       1.00      1.00      1.00       980\n           1       0.99      1.00      1.00      1135\n"
    return Style(text, {"train/loss": train, "val/loss": val, "val/accuracy": accuracy}, {"val/loss": [0, 1, 2]})


@style
def boxes_drawn_with_lines() -> Style:
    train, val = falling(3), falling(3, 2.8)
    text = "┏━━━━━━━┳━━━━━━━━━━━━┳━━━━━━━━━━┓\n┃ Epoch ┃ Train Loss ┃ Val Loss ┃\n┡━━━━━━━╇━━━━━━━━━━━━╇━━━━━━━━━━┩\n"
    text += "".join(f"│ {i + 1}     │ {train[i]:<10} │ {val[i]:<8} │\n" for i in range(3))
    return Style(
        text + "└───────┴────────────┴──────────┘\n", {"train/loss": train, "val/loss": val}, {"val/loss": [1, 2, 3]}
    )


@style
def chainer_report() -> Style:
    train, val = falling(3), falling(3, 2.8)
    text = "epoch       main/loss   validation/main/loss  main/accuracy  validation/main/accuracy  elapsed_time\n"
    text += "".join(
        f"\x1b[J{i + 1}           {train[i]:<10}  {val[i]:<20}  0.91           0.81                      11.{i}123\n"
        for i in range(3)
    )
    curves = {"train/loss": train, "val/loss": val, "train/accuracy": [0.91] * 3, "val/accuracy": [0.81] * 3}
    return Style(text, curves, {"val/loss": [1, 2, 3]})


@style
def espnet() -> Style:
    step, train, val = falling(3, 90.0), falling(3, 80.0), falling(3, 70.0)
    text = ""
    for e in range(3):
        prefix = "[node01] 2021-01-01 12:00:00,123 (trainer:732) INFO: "
        text += f"{prefix}{e + 1}epoch:train:1-100batch: iter_time=0.1, loss_ctc=5.1, loss={step[e]}, backward_time=0.3, train_time=1.0\n"
        text += f"{prefix}{e + 1}epoch results: [train] iter_time=0.1, loss_ctc=5.1, loss={train[e]}, time=3 minutes, [valid] loss_ctc=4.1, loss={val[e]}, time=10 seconds\n"
    return Style(text, {"train/loss": train, "val/loss": val, "train/loss_step": step}, {"val/loss": [1, 2, 3]})


@style
def samples_of_a_language_model_between_the_lines() -> Style:
    train = falling(3, 2.8)
    text = "trainer:\n    learning_rate: 0.0005\n    grad_norm_clip: 1.0\n\nnumber of parameters: 0.09M\n"
    for i in range(3):
        text += f"iter_dt {100 * i}.00ms; iter {2 * i}: train loss {train[i]}\n( ( 8 + 7 ) / 6 ) / ( 3 / 7 )\n6 9(291-(9+3 (22/\nsaving model\n"
    return Style(text, {"train/loss": train}, {"train/loss": [0, 2, 4]}, {"train/loss": "step"})


@style
def seconds_of_training_beside_the_loss() -> Style:
    train = falling(4, 75.0)
    text = "--- resnet18 on CIFAR100 (100 classes) using cuda ---\n"
    for i in range(4):
        text += f"Epoch {i + 1:02d} loss {train[i]} | train 2.{i}s" + (" | Acc 9.32% | infer 4.4s\n" if i % 2 else "\n")
    return Style(text, {"train/loss": train, "train/accuracy": [9.32] * 2}, {"train/accuracy": [2, 4]})


@style
def tensorflow_estimator() -> Style:
    train, val = falling(3), falling(3, 2.8)
    text = "INFO:tensorflow:Calling model_fn.\n"
    for i in range(3):
        text += f"INFO:tensorflow:global_step/sec: 8.1\nINFO:tensorflow:loss = {train[i]}, step = {100 * i} (12.3 sec)\nINFO:tensorflow:Saving checkpoints for {100 * i} into model.ckpt.\n"
        text += f"INFO:tensorflow:Saving dict for global step {100 * i}: accuracy = 0.5{i}, global_step = {100 * i}, loss = {val[i]}\n"
    return Style(
        text, {"train/loss": train, "val/loss": val, "val/accuracy": [0.5, 0.51, 0.52]}, {"train/loss": [0, 100, 200]}
    )


@style
def lines_that_begin_with_a_counter() -> Style:
    train, val = falling(4), falling(4, 2.8)
    text = "".join(f"({i + 1}/4) train_loss={train[i]:.4f} val_loss={val[i]:.4f}\n" for i in range(4))
    return Style(text, {"train/loss": train, "val/loss": val}, {"train/loss": [1, 2, 3, 4]})


@style
def losses_without_any_axis() -> Style:
    train = falling(12)
    text = "Using cuda\n" + "".join(f"loss: {v:.3f}\n" for v in train)
    return Style(text, {"train/loss": train}, axis={"train/loss": "row"})


@style
def dicts_behind_an_epoch() -> Style:
    train, val = falling(3), falling(3, 2.8)
    text = "Config: {'lr': 0.1, 'loss_type': 'ls'}\n"
    text += "".join(
        f"Epoch {i + 1}: Train {{'loss': {train[i]}, 'acc': 0.5}} Val {{'loss': {val[i]}, 'acc': 0.4}}\n"
        for i in range(3)
    )
    return Style(text, {"train/loss": train, "val/loss": val, "train/accuracy": [0.5] * 3, "val/accuracy": [0.4] * 3})


@style
def configuration_before_the_metrics_on_every_line() -> Style:
    train = falling(3)
    text = "".join(
        f"Config: {{'learning_rate': 0.001, 'loss_type': 'ls', 'opt': {{'eps': 1e-8}}}}, Epoch {i + 1}/3, Train Loss: {train[i]}\n"
        for i in range(3)
    )
    return Style(text, {"train/loss": train}, {"train/loss": [1, 2, 3]})
