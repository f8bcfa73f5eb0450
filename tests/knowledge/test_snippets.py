"""Every snippet of the knowledge base is executed, on a small model; one that cannot be has its reason here."""

import ast
import contextlib
import io
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from knowledge.load import load
from knowledge.schema import Entry

FENCE = re.compile(r"```(?:python)?\n(.*?)```", re.DOTALL)
# The name of a snippet -> why it is not executed. Empty is what it should be.
CANNOT_RUN: dict[str, str] = {}

PRELUDE = """
import copy, hashlib, math, os, random, time, warnings
import numpy as np, torch, torch.nn.functional as F
from torch import nn
torch.set_num_threads(1)
torch.manual_seed(0)
hidden = [nn.Linear(3, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.1), nn.Linear(16, 16), nn.Tanh()]
model = nn.Sequential(*hidden, nn.Linear(16, 10))
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
loss_fn = nn.CrossEntropyLoss()
x, y = torch.randn(64, 3), torch.randint(0, 10, (64,))
images = torch.rand(4, 3, 8, 8)
dataset = torch.utils.data.TensorDataset(x, y)
loader = torch.utils.data.DataLoader(dataset, batch_size=32)
val_loader = loader
loss = loss_fn(model(x), y)
def evaluate(model, loader):
    return sum(loss_fn(model(a), b).item() for a, b in loader) / len(loader)
"""


def snippets() -> dict[str, str]:
    """Name -> code: of every fix, and of every fenced block in a text."""
    found = {}
    for entry in load().entries.values():
        for fix in entry.fixes:
            if fix.code:
                found[f"{entry.id}: {fix.title}"] = fix.code
        for i, code in enumerate(fenced(entry), 1):
            found[f"{entry.id}: block {i}"] = code
    return found


def fenced(entry: Entry) -> list[str]:
    texts = [entry.body, *(f.how for f in entry.fixes), *(q.answer for q in entry.qa)]
    return [code for text in texts for code in FENCE.findall(text)]


SNIPPETS = snippets()


@pytest.fixture(autouse=True)
def restored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A folder of its own; what a snippet may switch for the whole process goes back."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "environ", dict(os.environ))
    benchmark, precision = torch.backends.cudnn.benchmark, torch.get_float32_matmul_precision()
    yield
    torch.use_deterministic_algorithms(False)
    torch.backends.cudnn.benchmark = benchmark
    torch.set_float32_matmul_precision(precision)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", sorted(SNIPPETS))
def test_a_snippet_runs(name: str) -> None:
    code = SNIPPETS[name]
    ast.parse(code)
    if name in CANNOT_RUN:
        pytest.skip(CANNOT_RUN[name])
    with contextlib.redirect_stdout(io.StringIO()):
        exec(compile(PRELUDE + code, name, "exec"), {"__name__": "snippet"})


def test_a_reason_for_not_running_names_a_snippet_that_exists() -> None:
    assert set(CANNOT_RUN) <= set(SNIPPETS)


def test_snippets_use_what_pytorch_has_today() -> None:
    old = re.compile(
        r"torch\.cuda\.amp|(weight|bias|p|param)\.data\b|Variable\(|(uniform|normal|zeros)\(p|size_average|reduce="
    )
    assert [name for name, code in SNIPPETS.items() if old.search(code)] == []


def test_linear_probe_tells_a_linear_network_from_one_with_a_bend() -> None:
    code = SNIPPETS["missing-nonlinearity: Test the network for linearity"]
    assert printed(code, "model = nn.Sequential(nn.Linear(3, 8), nn.Linear(8, 2))") < 1e-4
    assert printed(code, "model = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 2))") > 1e-2


def printed(code: str, model: str) -> float:
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(PRELUDE + model + "\n" + code, {"__name__": "snippet"})
    return float(out.getvalue())
