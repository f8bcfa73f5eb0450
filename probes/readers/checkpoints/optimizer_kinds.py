"""What optimizer it was, from the keys of its state and groups.

Many optimizers keep `exp_avg` and `exp_avg_sq` and mean other things by them (SOAP's lie in a turned basis, Prodigy's
are scaled, ADOPT's and Adafactor's average updates). So a kind that is told by its state may hold nothing beside what
is known of it; what looks like one and holds more is "like" it, and is not read. The keys are those of the optimizers'
own state_dict in PyTorch 2.13, transformers, timm, bitsandbytes, apex, DeepSpeed and the authors' repositories.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from .lazy import LazyTensor
from .pickle_stream import Inert, Name

_CLASSES = frozenset(
    ["adamw", "adam", "nadam", "radam", "adamax", "adagrad", "adadelta", "adafactor", "rmsprop", "sgd", "lion", "muon",
     "asgd", "rprop", "lbfgs", "adan", "sparseadam", "lamb", "soap", "shampoo", "prodigy", "sophiag", "adabelief",
     "adopt"]
)  # fmt: skip
_BY_OPTIONS: tuple[tuple[set[str], str], ...] = (
    ({"use_muon"}, "muon"),
    ({"ns_steps"}, "muon"),
    ({"weight_sum", "lr_max"}, "schedule-free"),
    ({"clip_exp"}, "adopt"),
    ({"mars_type"}, "mars"),
    ({"d_coef"}, "prodigy"),
    ({"d", "d0"}, "d-adaptation"),
    ({"precondition_frequency"}, "soap"),
    ({"grad_averaging"}, "lamb"),
    ({"max_coeff", "min_coeff"}, "lamb"),
    ({"schedule_decay"}, "nadam-legacy"),
)
"""Options that only one optimizer has, whatever its state is called."""
_BY_STATE: tuple[tuple[set[str], str], ...] = (
    ({"GG"}, "soap"),
    ({"precond_0"}, "shampoo"),
    ({"exp_avg_diff", "neg_pre_grad"}, "adan"),
    ({"exp_avg_diff"}, "adan-like"),
    ({"prev_grad", "n"}, "adan"),
    ({"exp_avg_var"}, "adabelief"),
    ({"exp_avg_slow"}, "ademamix"),
    ({"hessian"}, "sophia"),
    ({"exp_hessian_diag_sq"}, "adahessian"),
    ({"exp_avg_sq_r"}, "adafactor-like"),
    ({"z", "exp_avg_sq"}, "schedule-free"),
    ({"exp_avg", "exp_inf"}, "adamax"),
    ({"square_avg", "acc_delta"}, "adadelta"),
    ({"square_avg"}, "rmsprop"),
    ({"row_var"}, "adafactor"),
    ({"exp_avg_sq_row"}, "adafactor"),
    ({"ax"}, "asgd"),
    ({"prev", "step_size"}, "rprop"),
    ({"prev_flat_grad"}, "lbfgs"),
    ({"sum"}, "adagrad"),
    ({"trust_ratio", "exp_avg_sq"}, "lamb"),
    ({"exp_avg", "exp_avg_sq"}, "adam"),
    ({"exp_avg"}, "lion"),
    ({"momentum_buffer"}, "sgd"),
)
_ALONE: dict[str, set[str]] = {
    "adam": {"exp_avg", "exp_avg_sq", "max_exp_avg_sq"},
    "lion": {"exp_avg"},
    "sgd": {"momentum_buffer"},
    "rmsprop": {"square_avg", "momentum_buffer", "grad_avg"},
    "adagrad": {"sum"},
}
"""All that these keep for each weight; `master_param` is a copy of the weights."""
_UNTOUCHED: tuple[tuple[set[str], str], ...] = (
    ({"momentum_decay"}, "nadam"),
    ({"momentum", "dampening", "nesterov"}, "sgd"),
    ({"alpha", "centered"}, "rmsprop"),
    ({"lr_decay", "initial_accumulator_value"}, "adagrad"),
    ({"rho"}, "adadelta"),
    ({"betas", "amsgrad"}, "adam"),
    ({"no_prox"}, "adan"),
    ({"clip_threshold"}, "adafactor"),
    ({"max_iter", "history_size"}, "lbfgs"),
    ({"betas", "use_triton"}, "lion"),
)
"""For optimizers that were saved before their first step, and plain SGD."""


def optimizer_kind(
    groups: Iterable[dict[str, Any]], states: Iterable[Mapping[Any, Any]], hints: Any
) -> tuple[str | None, str]:
    """(kind, how it is known): from the keys of state and groups; flags and class names tell Adam from AdamW.

    Args:
        states: what is kept for each parameter, as saved.
        hints: settings of the run, which may name the class.
    """
    options: dict[str, Any] = {}
    decays = set[Any]()
    for group in groups:
        options |= group
        decays |= {d for d in [group.get("weight_decay")] if isinstance(d, int | float)}
    kept = list(states)
    keys = {key for state in kept for key in state if isinstance(key, str)}
    numbers = {key for state in kept for key, value in state.items() if isinstance(key, str) and _is_large(value)}
    named = _named(hints)
    kind = _first(_BY_OPTIONS, options.keys()) or _by_state(keys, numbers, options)
    kind = kind or _first(_UNTOUCHED, options.keys())
    if kind is None:
        return named, "class" if named else ""
    if kind != "adam":
        return kind, "keys"
    if isinstance(options.get("decoupled_weight_decay"), bool):
        return ("adamw" if options["decoupled_weight_decay"] else "adam"), "flag"
    if "correct_bias" in options or "qmap1" in keys:  # transformers' and bitsandbytes' Adam decay the weights alone
        return "adamw", "keys"
    if named in ("adam", "adamw"):
        return named, "class"
    if 0.01 in decays or (0 in decays and len(decays) > 1):  # AdamW's default (Adam's is 0); its usual no-decay group
        return "adamw", "weight-decay"
    return "adam", "keys"


def _first(table: Iterable[tuple[set[str], str]], keys: Iterable[str]) -> str | None:
    held = set(keys)
    return next((kind for needed, kind in table if needed <= held), None)


def _is_large(value: Any) -> bool:
    """Whether a value of the state can hold numbers for each weight."""
    return value.numel > 1 if isinstance(value, LazyTensor) else isinstance(value, list | tuple | dict) and bool(value)


def _by_state(keys: set[str], numbers: set[str], options: dict[str, Any]) -> str | None:
    if "state1" in keys:
        return _eight_bits(keys, options)
    kind = _first(_BY_STATE, keys)
    if kind in _ALONE and numbers - _ALONE[kind] - {"step", "master_param"}:
        return f"{kind}-like"
    return _kind_of_adam(keys, options) if kind == "adam" else kind


def _kind_of_adam(keys: set[str], options: dict[str, Any]) -> str:
    """Those with Adam's two moments, by their options: torch's RAdam has no amsgrad, timm's NAdamW no such flag."""
    if "momentum_decay" in options or "mu_product" in keys:
        return "nadam"
    if "foreach" in options and "amsgrad" not in options:
        return "nadam" if "capturable" in options and "differentiable" not in options else "radam"
    return "adam"


def _eight_bits(keys: set[str], options: dict[str, Any]) -> str:
    """bitsandbytes' optimizers, which all have two betas and an eps: those without a use for them leave them 0."""
    betas = options.get("betas")
    if not isinstance(betas, list | tuple):
        betas = ()
    if "state2" in keys:
        return "adam" if len(betas) < 3 or not options.get("alpha") else "ademamix"
    if options.get("eps"):
        return "rmsprop-like"  # or Adagrad
    return "lion" if len(betas) > 1 and betas[1] else "sgd"


def _named(hints: Any) -> str | None:
    """An optimizer class that the settings name: a value of a key that has "optim" in it."""
    for key, value in _pairs(hints, 0, set()):
        if "optim" not in key.lower():
            continue
        text = value.text if isinstance(value, Name) else value if isinstance(value, str) else ""
        last = text.rpartition(".")[2].lower().removesuffix("_torch").removesuffix("_fused")
        if last in _CLASSES:
            return last
    return None


def _pairs(value: Any, depth: int, seen: set[int]) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Inert):
        value = value.state
    if not isinstance(value, dict) or depth > 3 or id(value) in seen:
        return
    seen.add(id(value))
    for key, inner in list(value.items())[:2000]:
        if isinstance(key, str):
            yield key, inner
        yield from _pairs(inner, depth + 1, seen)
