"""Column names, keys, tags and labels as people write them -> one canonical name.

Core names are given only on an exact match after the split ("train", "val", "test") and filler words are taken away, so
that `best_val_loss` or `box_loss` are never mistaken for the loss.
"""

from __future__ import annotations

import re
from functools import lru_cache

CORE = frozenset(
    {f"{s}/{m}" for s in ("train", "val", "test") for m in ("loss", "accuracy")} | {"lr", "grad_norm", "rollout/reward"}
)

_TELLING_WORDS = """
loss accuracy lr rate reward rew return score perplexity ppl auc auroc f1 iou miou map ap psnr ssim mse mae rmse error
bleu rouge wer cer dice top1 top5 prec norm gnorm tel trl kl entropy elbo ade fde
logloss mlogloss l1 l2 xent nll bpb bpc bpd map50 perp perplexity smape mape rmsle fid
"""
TELLING = frozenset(_TELLING_WORDS.split())
"""Words of which a training curve's name has at least one."""

_SPLITS = {
    "train": "train training trn tr",
    "val": "val valid validation eval evaluation evaluate dev vl cv crossval",
    "test": "test testing tst",
}
_SPLIT_OF = {word: split for split, words in _SPLITS.items() for word in words.split()}
SPLIT_WORDS = frozenset(_SPLIT_OF)
_FILLER = frozenset(
    [
        "avg",
        "average",
        "avr",
        "ave",
        "mean",
        "set",
        "on",
        "of",
        "the",
        "vs",
        "iterations",
        "epoch",
        "log",
        "logs",
        "metric",
        "metrics",
        "value",
        "final",
        "current",
        "main",
        "de",
        "di",
        "集",
        "集上",
        "値",
        "の",
        "iter",
    ]
)
_ALIASES = {
    "acc": "accuracy",
    "accs": "accuracy",
    "accuracies": "accuracy",
    "losses": "loss",
    "cost": "loss",
    "lrs": "lr",
    "rewards": "reward",
    "returns": "return",
    "prec1": "top1",
    "acc1": "top1",
    "learningrate": "lr",
}

_LOSS = {
    ("loss",),
    ("total", "loss"),
    ("loss", "total"),
    ("cross", "entropy"),
    ("crossentropy",),
    ("cross", "entropy", "loss"),
    ("loss", "value"),
    ("xent",),
    ("lm", "loss"),
    ("running", "loss"),
}
_ACCURACY = {
    ("accuracy",),
    ("accuracy", "1"),
    ("prec", "1"),
    ("accuracy", "top1"),
    ("accuracy", "top", "1"),
    ("top1", "accuracy"),
    ("top", "1", "accuracy"),
    ("top1",),
    ("accuracy01",),
    ("categorical", "accuracy"),
    ("sparse", "categorical", "accuracy"),
    ("binary", "accuracy"),
    ("overall", "accuracy"),
}
_TOP5 = {
    ("accuracy", "5"),
    ("prec", "5"),
    ("accuracy", "top5"),
    ("accuracy", "top", "5"),
    ("top5", "accuracy"),
    ("top", "5", "accuracy"),
    ("top5",),
    ("top", "k", "accuracy", "5"),
}
_LR = {
    ("lr",),
    ("l", "r"),
    ("learning", "rate"),
    ("lr", "0"),
    ("lr", "group0"),
    ("learning", "rate", "group0"),
    ("optim", "learning", "rate", "group0"),
    ("lr", "pg0"),
    ("x", "lr0"),
    ("lr0",),
    ("base", "lr"),
    ("lr", "adam"),
    ("lr", "sgd"),
    ("lr", "adamw"),
}
_GRAD_NORM = {
    ("grad", "norm"),
    ("gradient", "norm"),
    ("gnorm",),
    ("gradnorm",),
    ("grad", "norm", "total"),
    ("total", "grad", "norm"),
    ("optim", "total", "grad", "norm"),
    ("global", "grad", "norm"),
    ("l2", "norm", "grad", "global"),
    ("g", "norm"),
}
_REWARD = {
    ("reward",),
    ("return",),
    ("ep", "rew"),
    ("ep", "reward"),
    ("episode", "reward"),
    ("episode", "return"),
    ("episodic", "return"),
    ("charts", "episodic", "return"),
    ("rollout", "reward"),
    ("rollout", "return"),
    ("rollout", "ep", "rew"),
    ("eprewmean",),
    ("running", "reward"),
    ("rew",),
    ("reward", "100"),
}
_SYSTEM = frozenset(
    [
        "time",
        "seconds",
        "sec",
        "secs",
        "duration",
        "timestamp",
        "runtime",
        "fps",
        "eta",
        "memory",
        "mem",
        "throughput",
        "speed",
        "ms",
        "dur",
        "mfu",
        "elapsed",
        "second",
        "gpu",
        "cpu",
        "date",
        "walltime",
        "hours",
        "minutes",
    ]
)
_GROUP = re.compile(r"^(?:train[ /_])?(?:x/lr|lr/pg|lr/group|lr-\w+/(?:pg|group)|lr_|optim0_lr)(\d+)$", re.I)
_SPENT = re.compile(r"\b(?:batch|reader|data|iter|time)_cost$", re.I)
"""Seconds, as Paddle calls them."""
_OF_EPISODES = frozenset(["episode", "episodic", "undiscounted", "cumulative", "total", "per", "sum", *_FILLER])
"""What is said of a reward that is the sum over an episode."""

_LLM_C = {"tel": "val/loss", "trl": "train/loss", "norm": "grad_norm"}
"""Abbreviations of llm.c, whose "test loss" is the validation's."""

_WORDS = {
    "lr": """学习率, 學習率, 学習率, 학습률, скорость обучения, tasa de aprendizaje, taxa de aprendizado, lernrate,
        taux d'apprentissage, tasso di apprendimento, öğrenme oranı""",
    "train": """训练, 訓練, 学習, 학습, 훈련, на обучении, обучения, обучение, entrenamiento, treino, treinamento,
        trainings, entraînement, addestramento, eğitim""",
    "val": """验证, 検証, 검증, validación, validação, на валидации, валидации, валидация, validierungs, validazione,
        doğrulama, 驗證""",
    "test": "测试, 測試, テスト, 테스트, на тесте, prueba, teste",
    "loss": """损失值, 损失, 損失, 손실, ошибка, потери, pérdida, perda, verlust, perte, perdita, kayıp, kaybı, custo,
        costo, coût""",
    "accuracy": """准确率, 准确度, 正确率, 準確率, 準確度, 精度, 正解率, 정확도, точность, acurácia, exactitud,
        exactitude, genauigkeit, accuratezza, doğruluğu, doğruluk""",
    "epoch": "轮次, 轮数, エポック, 에폭, 에포크, эпоха, эпохи, época, époque, epoche, epoca",
    "step": "步数, ステップ, 스텝, шаг, paso, passo, schritt",
    "avg": "平均, 평균, средняя, средний, promedio, média, moyenne, durchschnittlicher",
}
_FOREIGN = {foreign: english for english, many in _WORDS.items() for foreign in re.split(r",\s+", many)}

_IN_COMPOUNDS = ("trainings", "validierungs", "verlust", "genauigkeit")


def _pattern(word: str) -> str:
    """Languages that write no blanks, and German compounds, are found inside longer words."""
    alone = word.isascii() and word not in _IN_COMPOUNDS
    return rf"\b{word}\b" if alone else word


_FOREIGN_WORD = re.compile("|".join(_pattern(w) for w in sorted(_FOREIGN, key=len, reverse=True)), re.I)

_AXES = {
    "epoch": {"epoch", "epochs", "ep", "epoch num", "total epochs", "current epoch", "epoch id"},
    "step": {
        *("s", "step", "steps", "global step", "iter", "iters", "iteration", "iterations", "it", "iter num", "n iter"),
        *("timestep", "timesteps", "total timesteps", "time total timesteps", "num timesteps", "env steps"),
        *("timesteps total", "training iteration", "train iteration", "train iter", "total env steps"),
        *("train step", "train steps", "training step", "training iter", "total steps", "trainer global step"),
        *("steps done", "num updates", "update", "updates", "up", "total train updates"),
    },
    "episode": {"episode", "episodes", "total episodes", "batch", "batch id", "round", "server round"},
}


_MEAN_OF = re.compile(r"(?<![A-Za-z])[ma](?:AP|IoU|Acc|Dice|Prec|Rec)(?![a-z])")
"""Abbreviations that only look like camel case: mAP, mIoU, aAcc."""


@lru_cache(8192)
def words(raw: str) -> tuple[str, ...]:
    """The words of a name in lower case: cut at punctuation, at camelCase, and known foreign words put into English."""
    text = raw.strip().strip("\ufeff")
    text = _FOREIGN_WORD.sub(lambda m: f" {_FOREIGN[m[0].lower()]} ", text[:300])
    text = re.sub(r"\bd['’]", " ", text)
    text = _MEAN_OF.sub(lambda m: m[0].lower(), text)
    text = re.sub(r"([a-z])([A-Z])", r"\1 \2", text)
    found = [w for w in re.split(r"[\W_]+", text.lower()) if w]
    return tuple(_ALIASES.get(w, w) for w in found)


@lru_cache(8192)
def axis(raw: str) -> str | None:
    """ "epoch", "step" or "episode" if the name is that of an x axis, else None."""
    found = " ".join(words(raw))
    return next((kind for kind, names in _AXES.items() if found in names), None)


@lru_cache(8192)
def split_of(raw: str) -> str | None:
    """The split that a name speaks of: "train", "val", "test" or None."""
    said = next((_SPLIT_OF[w] for w in words(raw) if w in _SPLIT_OF), None)
    return "val" if said is None and re.match(r"metrics/", raw.strip(), re.I) else said


@lru_cache(8192)
def canonical(raw: str, split: str | None = None) -> str:
    """The canonical name of a column.

    Args:
        split: what the context says (a folder "validation", records of evaluation) where the name itself does not.

    Examples:
        `val_acc` -> "val/accuracy"; `Loss/Train` -> "train/loss"; `train_loss_step` -> "train/loss_step";
        `learning_rate` -> "lr"; `metrics/mAP_0.5` -> "val/map50"; `conv1.weight` -> "conv1_weight".
    """
    if group := _GROUP.match(raw.strip()):
        return "lr" if int(group[1]) == 0 else f"lr/group{int(group[1])}"
    if raw.strip() in _LLM_C:
        return _LLM_C[raw.strip()]
    said = split_of(raw)
    if _SPENT.search(raw.strip()):
        return f"{said}/time" if said else "sys/time"
    found = words(raw)
    if len(found) > 1 and found[0] in ("step", "batch"):  # step_loss, as loss_step
        found = (*found[1:], found[0])
    per_step = bool(found) and found[-1] in ("step", "batch") and len(found) > 1
    rest = [w for w in (found[:-1] if per_step else found) if w not in _SPLIT_OF]
    metric = _metric(rest)
    if metric in ("lr", "grad_norm"):
        return metric
    if metric == "rollout/reward":
        return metric if said in (None, "train") and split != "val" else f"{said or split}/reward"
    if metric is not None:
        return f"{said or split or 'train'}/{metric}{'_step' if per_step else ''}"
    return _other(raw, said, split, rest, per_step)


def _metric(rest: list[str]) -> str | None:
    full = tuple(dict.fromkeys(rest))
    bare = tuple(w for w in full if w not in _FILLER)
    if rest[-2:] == ["value", "loss"]:  # a critic's; "loss value" is the loss
        return None
    for known, name in (
        (_LR, "lr"),
        (_GRAD_NORM, "grad_norm"),
        (_LOSS, "loss"),
        (_ACCURACY, "accuracy"),
        (_TOP5, "top5_accuracy"),
        (_REWARD, "rollout/reward"),
    ):
        if full in known or bare in known:
            return name
    if len(full) > 1 and [w for w in full if w not in _OF_EPISODES] in (["reward"], ["return"]):
        return "rollout/reward"
    joined = "".join(bare)
    if joined in ("map50", "map05", "map05b", "map50b", "map5", "hbbmap5"):
        return "map50"
    if joined in ("map5095", "map0595", "map05095", "map5095b", "map595", "map"):
        return "map50_95"
    return None


def _other(raw: str, said: str | None, split: str | None, rest: list[str], per_step: bool) -> str:
    """A name outside the core: "val/box_loss", "sys/time", or the raw one tidied up."""
    name = "_".join(w for w in rest if w not in ("epoch", "metrics") or len(rest) == 1) or raw.strip()[:80]
    if per_step:
        name += "_step"
    if said or split:
        return f"{said or split}/{name}"
    if set(rest) & _SYSTEM:
        return f"sys/{name}"
    return f"train/{name}" if "loss" in rest else name


_LOWER_WORDS = """
loss error err mae mse rmse ppl perplexity fid wer cer nll bpc bpb ade fde time seconds dur
"""
_HIGHER_WORDS = """
accuracy auc auroc f1 iou miou dice map map50 ap precision recall psnr ssim bleu rouge reward return rew top5
"""
_LOWER, _HIGHER = frozenset(_LOWER_WORDS.split()), frozenset(_HIGHER_WORDS.split())


@lru_cache(8192)
def direction(name: str) -> str:
    """ "lower" or "higher" for what is better of a curve, by the words of its name; "" where they do not say."""
    found = set(words(name.replace("50_95", "")))
    if found & {"entropy", "kl", "policy", "critic", "adv"}:
        return ""
    if found & _LOWER:
        return "lower"
    return "higher" if found & _HIGHER else ""
