"""Logs of speech, translation and dialogue toolkits, and lines in which splits share a metric's name."""

# ruff: noqa: E501  log lines are as long as the tools print them

from __future__ import annotations

import json

from log_styles import STYLES, Style, falling, rising, style

COUNT = 5
TRAIN, VAL, RIGHT, VAL_RIGHT = falling(COUNT), falling(COUNT, 2.7), rising(COUNT), rising(COUNT, 0.25)
LOSSES = {"train/loss": TRAIN, "val/loss": VAL}
BOTH = {**LOSSES, "train/accuracy": RIGHT, "val/accuracy": VAL_RIGHT}
ROWS = list(zip(range(1, COUNT + 1), TRAIN, VAL, RIGHT, VAL_RIGHT, strict=True))


@style
def allennlp() -> Style:
    text = ""
    for e, train, val, right, val_right in ROWS:
        log = f"2020-05-01 10:0{e}:30,124 - INFO - allennlp.training."
        text += f"{log}trainer - Epoch {e - 1}/4\naccuracy: {right}, loss: {train + 0.01:.3f} ||: 100%|##########| 50/50 [00:10<00:00, 5.00it/s]\n"
        text += f"{log}tensorboard_writer -                       Training |  Validation\n"
        text += f"{log}tensorboard_writer - accuracy           |     {right}  |     {val_right}\n"
        text += f"{log}tensorboard_writer - gpu_0_memory_MB    |  1024.000  |       N/A\n"
        text += f"{log}tensorboard_writer - loss               |     {train}  |     {val}\n"
    return Style(text, BOTH, {"train/loss": [0, 1, 2, 3, 4]})


@style
def ludwig() -> Style:
    text = ""
    for e, train, val, right, val_right in ROWS:
        text += f"Epoch {e}\nTraining: 100%|██████████| 5/5 [00:01<00:00]\n╒════════════╤════════╤════════════╕\n"
        text += "│ label      │   loss │   accuracy │\n╞════════════╪════════╪════════════╡\n"
        text += f"│ train      │ {train} │ {right} │\n├────────────┼────────┼────────────┤\n"
        text += f"│ validation │ {val} │ {val_right} │\n╘════════════╧════════╧════════════╛\n"
    return Style(text, BOTH, {"val/loss": [1, 2, 3, 4, 5]})


@style
def parlai() -> Style:
    text = ""
    for e, train, *_ in ROWS:
        text += f"12:3{e}:14 | time:{10 * e}s total_exs:{640 * e} total_steps:{20 * e} epochs:{0.1 * e:.2f}\n"
        text += "    clen  clip  ctpb  ctps  exps  exs  gnorm  llen  loss     lr  ltpb   ppl  token_acc  total_train_updates\n"
        text += f"    32.1     1   512  900  1.75  640  {1 + e / 10}    12  {train}  5e-05   220  12.1      .41                   {20 * e}\n\n"
    norms = [1 + e / 10 for e, *_ in ROWS]
    return Style(
        text, {"train/loss": TRAIN, "lr": [5e-5] * COUNT, "grad_norm": norms}, {"lr": [20 * e for e, *_ in ROWS]}
    )


@style
def kaldi_nnet1() -> Style:
    text = "# INFO\nnnet_init\n"
    for e, train, val, *_ in ROWS:
        text += f"ITERATION {e:02d}: TRAIN AVG.LOSS {train}, (lrate0.008), CROSSVAL AVG.LOSS {val}, nnet accepted (nnet_iter{e:02d})\n"
    return Style(text, LOSSES, {"val/loss": [1, 2, 3, 4, 5]})


@style
def sockeye() -> Style:
    text = ""
    for e, train, val, *_ in ROWS:
        log = f"[2019-01-01:10:0{e}:12:INFO:sockeye.training:fit] Checkpoint [{e}]\t"
        text += f"{log}Updates={500 * e} Epoch=0 Samples={32000 * e} Time-cost=100.100 Updates/sec=5.000\n"
        text += f"{log}Train-perplexity={train}\n{log}Validation-perplexity={val}\n"
    return Style(text, {"train/perplexity": TRAIN, "val/perplexity": VAL})


@style
def marian() -> Style:
    text = ""
    for e, train, val, *_ in ROWS:
        text += f"[2018-06-15 12:2{e}:15] Ep. {e} : Up. {1000 * e} : Sen. {64000 * e} : Cost {train} : Time 60.00s : 10000.10 words/s : L.r. 3.0000e-04\n"
        text += f"[2018-06-15 12:2{e}:40] [valid] Ep. {e} : Up. {1000 * e} : cross-entropy : {val} : new best\n"
    return Style(text, {**LOSSES, "lr": [3e-4] * COUNT})


@style
def catalyst() -> Style:
    text = ""
    for e, train, val, right, val_right in ROWS:
        text += f"{e}/5 * Epoch {e} (train): loss={train} | accuracy01={right}\n{e}/5 * Epoch {e} (valid): loss={val} | accuracy01={val_right}\n"
    return Style(text, BOTH)


@style
def diffusers() -> Style:
    text = "Steps:   0%|          | 0/60 [00:00<?, ?it/s]"
    for e, train, *_ in ROWS:
        for loss in (train + 1, train):  # it is drawn twice a step
            text += (
                f"\rSteps:  {10 * e}%|█         | {10 * e}/60 [00:1{e}<01:00,  1.00it/s, lr=1e-5, step_loss={loss:.3f}]"
            )
    return Style(text + "\n", {"train/loss_step": TRAIN, "lr": [1e-5] * COUNT}, {"lr": [10, 20, 30, 40, 50]})


@style
def json_with_the_splits_deep_inside() -> Style:
    def record(e: int, train: float, val: float, right: float, val_right: float) -> str:
        metrics = {"train": {"loss": train, "acc": right}, "val": {"loss": val, "acc": val_right}}
        return json.dumps({"event": "epoch_end", "level": "info", "epoch": e, "metrics": metrics})

    return Style("\n".join(record(*row) for row in ROWS), BOTH, {"val/loss": [1, 2, 3, 4, 5]})


LINES = {
    "logfmt": ("time=2024-01-01T10:00:0{e}Z level=info msg=\"epoch done\" epoch={e} train_loss={a} val_loss={b}", LOSSES),
    "splits_with_a_slash": ("Epoch {e} Loss (train/val): {a} / {b}", LOSSES),
    "two_metrics_with_a_slash": ("epoch {e}: loss train/val = {a}/{b}, acc train/val = {c}/{d}", BOTH),
    "nothing_but_splits": ("Ep {e} train: {a} val: {b}", LOSSES),
    "a_loss_and_a_split": ("Epoch {e} ........ loss: {a} ........ val: {b}", LOSSES),
    "commas_everywhere": ("epoch , {e} , loss , {a} , val_loss , {b}", LOSSES),
    "accuracies_of_bare_splits": ("epoch {e} train: {c} val: {d}", {}),
}  # fmt: skip


def _lines(line: str, curves: dict[str, list[float]]) -> Style:
    text = "\n".join(line.format(e=e, a=a, b=b, c=c, d=d) for e, a, b, c, d in ROWS)
    return Style(text, curves, {key: [1.0, 2.0, 3.0, 4.0, 5.0] for key in curves})


for name, (line, curves) in LINES.items():
    STYLES[name] = lambda line=line, curves=curves: _lines(line, curves)  # type: ignore[misc]
