"""More logs as tools print them: bars, tables, language models, boosting, reinforcement learning."""

# ruff: noqa: E501  log lines are as long as the tools print them

from __future__ import annotations

from log_styles import Style, falling, rising, style


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
    text = "Overriding: dataset = shakespeare_char\nlearning_rate = 6e-4 # max learning rate\ntokens per iteration: 163,840\nvocab_size = 71\nparameters: 9.1M, decayed tensors: 24, with 9,100,032 of them\ncompiling ...\n"
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
