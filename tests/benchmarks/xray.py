"""How well the file-only checks do on small nets trained for the purpose: python tests/benchmarks/xray.py [WORD]

First every kind of net with several optimizers, healthy and with units killed on the way: correlation and median ratio
of the gradients' RMS in the file against hooks (SGD's buffer holds only their agreeing part, so its ratio is no error;
where weight decay outweighs the gradients, as the check itself says, nothing is compared), the largest error of the
last update, recall and false alarms of dead units against the ReLUs on the whole training set, and every accusation of
any check, of the run's folder and of its last checkpoint alone. Then runs with one thing wrong, and runs that only look
wrong: who said what. With a WORD only the lines whose names hold it. All of it takes some ten minutes.
"""

from __future__ import annotations

import math
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]

from xray_faults import FAULTS, LEGITIMATE, Case, kill  # noqa: E402
from xray_nets import EVERYWHERE, NETS, OPTIMIZERS, Kind  # noqa: E402
from xray_runs import Plan, Run, train  # noqa: E402

from probes.artifacts import Artifacts  # noqa: E402
from probes.discover import discover  # noqa: E402
from probes.registry import load, probes  # noqa: E402
from probes.saved import moments, statistics  # noqa: E402
from probes.saved.starved import starved  # noqa: E402

torch.set_num_threads(1)
torch.backends.mha.set_fastpath_enabled(False)
CHECKS = {name: load(name) for name in probes()}
CODE = """import torch
from torch import nn

act = nn.functional.{}

def train():
    loss.backward()
    optimizer.step()
"""


Said = list[tuple[str, str, str]]


def accusations(artifacts: Artifacts, told: Said | None = None) -> Said:
    """(probe, verdict, diagnosis) of everything confirmed or suspected; a crash is one as well. What is inconclusive
    goes to `told`."""
    found = []
    for name, check in CHECKS.items():
        try:
            verdicts = check(artifacts, lambda fraction, text="": None).verdicts
        except Exception as error:
            found.append((name, "CRASHED", f"{type(error).__name__}: {error}"))
            continue
        found += [(name, v.verdict, v.diagnosis) for v in verdicts if v.verdict in {"confirmed", "suspected"}]
        if told is not None:
            told += [(name, v.verdict, v.diagnosis) for v in verdicts if v.verdict == "inconclusive"]
    return found


def alone(folder: Path) -> Artifacts:
    """The last checkpoint without anything beside it."""
    return discover([max(folder.glob("*.pt"))])


def go(plan: Plan, code: str) -> Run:
    """One run in a folder of its own, with a script that names its activation."""
    folder = Path(tempfile.mkdtemp(prefix="xray-"))
    if code:
        (folder / "train.py").write_text(CODE.format(code))
    return train(folder, plan)


def gradients(run: Run, artifacts: Artifacts) -> tuple[float, float, float]:
    """(correlation of log RMS, median ratio file / hooks, largest relative error of the last update)."""
    last = artifacts.last
    state = last.optimizer if last else None
    if last is None or state is None:
        return math.nan, math.nan, math.nan
    pairs, errors, numbers = [], [], statistics.of(last)
    for name, square in run.squares.items():
        parameter = state.of(name)
        sums = numbers.sums(parameter) if parameter else None
        if parameter is None or sums is None or square < 1e-20 or sums.norm < 1e-20:
            continue
        decay = moments.coupled(state, moments.options(state, parameter))
        if decay and sums.norm <= 3 * decay * numbers.norm(last.tensors[name]):
            continue
        pairs.append((sums.norm, square**0.5))
        update = numbers.update_norm(parameter)
        if update is not None and run.moved[name] > 1e-6:
            errors.append(abs(update / run.moved[name] - 1))
    both = np.array(pairs).T
    r = float(np.corrcoef(np.log10(both))[0, 1]) if len(pairs) > 2 else math.nan
    return r, float(np.median(both[0] / both[1])), max(errors, default=math.nan)


def silent(run: Run, module: str) -> np.ndarray:
    """Which units are below zero on all of the training set, by the output of the module before the ReLU."""
    kept: list[torch.Tensor] = []
    hook = dict(run.plan.model.named_modules())[module].register_forward_hook(lambda m, i, o: kept.append(o.detach()))
    with torch.no_grad():
        run.plan.model.eval()(run.plan.data[0][:-300])
    hook.remove()
    axis = 1 if kept[0].dim() == 4 else -1
    return (kept[0].movedim(axis, 0).flatten(1) <= 0).all(1).numpy()


def dead(run: Run, kind: Kind, artifacts: Artifacts) -> tuple[int, int, int]:
    """(dead units by the activations, those that the file shows, live ones that it calls dead or nearly so)."""
    layers = {s.layer: s for s in starved(artifacts.last)[0]} if artifacts.last else {}
    truth = found = wrong = 0
    for layer, module in kind.relus.items():
        count = int(silent(run, module).sum())
        said = layers[layer].nearly if layer in layers else 0
        truth, found, wrong = truth + count, found + min(said, count), wrong + max(0, said - count)
    return truth, found, wrong


def said(found: Said) -> str:
    return "; ".join(f"{probe}: {verdict} {diagnosis}" for probe, verdict, diagnosis in found) or "-"


def nets(word: str) -> Iterator[str]:
    """One line for every net, optimizer and fault."""
    yield f"{'net':12}{'optimizer':14}{'fault':8}{'r':>8}{'ratio':>8}{'update':>9}{'dead':>6}{'found':>6}{'wrong':>6}"
    for place, (name, kind) in enumerate(NETS.items()):
        for optimizer, make in OPTIMIZERS.items():
            if word not in f"{name} {optimizer}" or (optimizer not in EVERYWHERE and place not in (0, 3)):
                continue
            for fault in ("none", "killed"):
                torch.manual_seed(0)
                plan = Plan(kind.build(), make, kind.data())
                plan = replace(plan, clip=0.1) if "clip" in optimizer else plan
                plan = replace(plan, amp="amp" in optimizer, before=None)
                plan = plan if fault == "none" else replace(plan, before=kill(kind.killed, 0.6, 80))
                run = go(plan, kind.activation)
                artifacts = discover([run.folder])
                r, ratio, error = gradients(run, artifacts)
                truth, found, wrong = dead(run, kind, artifacts)
                row = f"{name:12}{optimizer:14}{fault:8}{r:8.4f}{ratio:8.4f}{error:9.1e}{truth:6}{found:6}{wrong:6}"
                yield f"{row}  folder: {said(accusations(artifacts))} | alone: {said(accusations(alone(run.folder)))}"
                shutil.rmtree(run.folder)
                statistics.forget()


def faults(word: str, cases: dict[str, Case]) -> Iterator[str]:
    """One line a case: found, told as inconclusive, missed, or a false alarm; and who said what of folder and file."""
    for name, case in cases.items():
        if word not in name:
            continue
        torch.manual_seed(0)
        run = go(case.plan(), case.code)
        told: Said = []
        found, single = accusations(discover([run.folder]), told), accusations(alone(run.folder), told)
        named, expected = {d for _, _, d in found + single}, set(case.expected)
        mark = "told" if expected & {d for _, _, d in told} else "MISSED" if expected else "quiet"
        mark = "found" if named & expected else mark
        mark = "FALSE" if named and not case.expected else mark
        others = named - expected
        more = f" [others: {', '.join(sorted(others))}]" if others and case.expected else ""
        end = run.folder.joinpath("log.csv").read_text().splitlines()[-1].split(",")
        yield f"{mark:7}{name:30} loss {float(end[1]):.3g} acc {float(end[3]):.2f}  folder: {said(found)} | alone: " + (
            f"{said(single)}{more}  ({case.note})" if case.note else f"{said(single)}{more}"
        )
        shutil.rmtree(run.folder)
        statistics.forget()


def main(word: str = "") -> None:
    for line in nets(word):
        print(line, flush=True)
    print("\nfaults")
    for line in faults(word, FAULTS):
        print(line, flush=True)
    print("\nlegitimate")
    for line in faults(word, LEGITIMATE):
        print(line, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:2])
