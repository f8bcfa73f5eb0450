"""Logs as people print them: behind any prefix, in any language, with numbers written in any way, and odd forms."""

# ruff: noqa: E501  log lines are as long as the tools print them

from __future__ import annotations

from log_styles import STYLES, Style, falling, rising, style

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
    text += "Finished Training\nAccuracy of the network on the 10000 test images: 54 %\n"
    return Style(text, {"train/loss": train, "test/accuracy": [54]})


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
    curves = {"train/loss": train, "val/loss": val, "lr": [20.0] * 4, "test/loss": [5.10]}
    return Style(text, curves, {"val/loss": [1, 2]})


@style
def opennmt() -> Style:
    train, accuracy = falling(4, 9.1, 2), [21.5, 34.5]
    text = "[2021-01-01 10:00:00,123 INFO] Counter({'src': 2, 'tgt': 2})\n[2021-01-01 10:00:00,123 INFO] encoder: 16506500\n"
    for i in range(4):
        text += f"[2021-01-01 10:00:0{i},123 INFO] Step {50 * (i + 1)}/ 200; acc:   3.63; ppl: 11270.88; xent: {train[i]:.2f}; lr: 1.00000; 3234/3132 tok/s;     10 sec\n"
        if i % 2:
            text += f"[2021-01-01 10:00:0{i},500 INFO] Validation perplexity: 1212.1\n[2021-01-01 10:00:0{i},500 INFO] Validation accuracy: {accuracy[i // 2]}\n"
    curves = {"train/loss": train, "val/accuracy": accuracy, "train/accuracy": [3.63] * 4, "lr": [1.0] * 4}
    return Style(text, curves, {"val/accuracy": [100, 200]})


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
    text = "epoch     train_loss  valid_loss  accuracy  time    ██████████| 100.00% [1000/1000 00:01<00:00]\n"
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
