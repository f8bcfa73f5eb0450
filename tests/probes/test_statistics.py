"""One pass over a checkpoint: the same numbers as a naive computation, and no byte read twice."""

import numpy as np
import pytest
import torch
from torch import nn
from trained import Trained, mlp

from probes.describe import describe
from probes.discover import discover
from probes.readers.checkpoints.span import Opened
from probes.registry import load, probes
from probes.saved import statistics

MAKERS = {
    "adam": lambda m: torch.optim.Adam(m.parameters(), lr=2e-3),
    "amsgrad": lambda m: torch.optim.AdamW(m.parameters(), lr=2e-3, amsgrad=True),
    "adam-l2": lambda m: torch.optim.Adam(m.parameters(), lr=2e-3, weight_decay=1e-2),
}


def naive(run: Trained, name: str) -> dict[str, np.ndarray]:
    """Adam's identities for one parameter, straight from the saved file, in float64."""
    saved = torch.load(sorted(run.folder.glob("*.pt"))[-1])
    index = list(saved["model"]).index(name)
    state, group = saved["optimizer"]["state"][index], saved["optimizer"]["param_groups"][0]
    (b1, b2), t = group["betas"], float(state["step"])
    w, m, v = (x.double().numpy() for x in (saved["model"][name], state["exp_avg"], state["exp_avg_sq"]))
    m, v = m / (1 - b1**t), v / (1 - b2**t)
    largest = state.get("max_exp_avg_sq")
    root = np.sqrt(v if largest is None else largest.double().numpy() / (1 - b2**t))
    step = m / (root + group["eps"])
    decay = 0.0 if group.get("decoupled_weight_decay") else group["weight_decay"]
    own = m - decay * (w + group["lr"] * step / (1 - b1))
    return {"raw": m**2, "agree": own**2, "square": v, "step": step**2, "weight": w}


@pytest.mark.parametrize("optimizer", MAKERS)
@pytest.mark.parametrize("name", ["0.weight", "2.bias"])
def test_the_sums_are_those_of_a_naive_computation(train, optimizer, name, monkeypatch):
    monkeypatch.setattr(statistics, "BLOCK", 90)  # several pieces even for these small tensors
    torch.manual_seed(0)
    run: Trained = train(mlp(), MAKERS[optimizer], steps=60)
    last, want = run.artifacts.last, naive(run, name)
    sums = statistics.of(last).of(last.tensors[name])
    for key in ("raw", "agree", "square", "step"):
        by_row = want[key].reshape(len(want[key]), -1).sum(1)
        assert getattr(sums, key) == pytest.approx(by_row, rel=1e-5)
    if want["square"].ndim > 1:
        assert sums.column_square == pytest.approx(want["square"].sum(0), rel=1e-5)
    values = statistics.of(last).values(last.tensors[name])
    assert values.norm == pytest.approx(float(np.linalg.norm(want["weight"])), rel=1e-6)
    assert (values.low, values.high) == (want["weight"].min(), want["weight"].max())
    assert values.mean == pytest.approx(float(want["weight"].mean()), abs=1e-7)


def test_entries_that_are_not_finite_are_counted_and_left_out_of_the_sums(tmp_path):
    numbers = torch.tensor([[1.0, float("nan"), 0.0], [float("inf"), -3.0, float("-inf")]])
    torch.save({"fc.weight": numbers, "fc.bias": torch.zeros(2)}, tmp_path / "weights.pt")
    last = discover([tmp_path]).last
    values = statistics.of(last).values(last.tensors["fc.weight"])
    assert (values.nan, values.inf, values.low, values.high) == (1, 2, -3.0, 1.0)
    assert list(values.rows) == [1.0, 9.0]
    assert statistics.of(last).values(last.tensors["fc.bias"]).constant
    assert not statistics.of(last).finite


class Images(nn.Module):
    """A convolution over images with batch normalisation, and a classifier, on flat inputs."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(32, 4))

    def forward(self, x):
        return self.body(x[:, :16].reshape(-1, 1, 4, 4))


def numbers(checkpoint) -> int:
    """Bytes of all tensors that probes ask for: weights, counters and moments."""
    tensors = [t for t in checkpoint.tensors.values() if t.dtype in ("float32", "int64")]
    for parameter in checkpoint.optimizer.parameters if checkpoint.optimizer else ():
        tensors += [t for t in parameter.slots.values() if t.numel > 1]
    return sum(t.numel * t.itemsize for t in tensors)


@pytest.mark.parametrize("state", [True, False], ids=["with its optimizer", "weights alone"])
@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("optimizer", ["adam", "adam-l2"])
@pytest.mark.parametrize("net", [mlp, Images])
def test_no_byte_of_a_checkpoint_is_read_twice_by_all_probes_together(train, optimizer, net, count, state, monkeypatch):
    """Nor where checkpoints are compared entry by entry, so close to each other that Adam's bound is asked for."""
    torch.manual_seed(0)
    run: Trained = train(net(), MAKERS[optimizer], steps=30)
    for path in sorted(run.folder.glob("*.pt")):
        saved = torch.load(path)
        path.unlink()
        if saved["step"] > 10 * (3 - count):
            torch.save(saved if state else saved["model"], path)
    (run.folder / "model.py").write_text("from torch import nn\nact = nn.ReLU()\n")  # so that bounds are asked for
    artifacts = discover([run.folder])
    assert len(artifacts.checkpoints) == count
    read = {c.path: np.zeros(c.path.stat().st_size, int) for c in artifacts.checkpoints}
    true_fill = Opened.fill

    def counted(self, start, into):
        if self.path in read:
            read[self.path][start : start + len(into)] += 1
        true_fill(self, start, into)

    monkeypatch.setattr(Opened, "fill", counted)
    describe(artifacts)
    for name, probe in probes().items():
        if probe.cost == "file":
            load(name)(artifacts, lambda fraction, text="": None)
    assert {c.path.name: (int(read[c.path].max()), int(read[c.path].sum())) for c in artifacts.checkpoints} == {
        c.path.name: (1, numbers(c)) for c in artifacts.checkpoints
    }


def test_tensors_are_kept_whole_up_to_a_bound_the_smallest_first(tmp_path, monkeypatch):
    monkeypatch.setattr(statistics, "MOST_KEPT", 4 * 150)
    weights = {"large.weight": torch.randn(10, 10), "small.weight": torch.randn(10, 10).T[:7]}
    torch.save(weights, tmp_path / "weights.pt")
    tensors = discover([tmp_path]).last.tensors
    kept = statistics.of(discover([tmp_path]).last)
    kept.keep(tensors.values())
    assert kept.held(tensors["large.weight"]) is tensors["large.weight"]
    held = kept.held(tensors["small.weight"])
    assert held is not tensors["small.weight"]
    assert np.array_equal(held.array(), weights["small.weight"].numpy())
    assert kept.values(tensors["small.weight"]).norm == pytest.approx(float(weights["small.weight"].norm()))


def test_what_was_gathered_is_forgotten_when_asked(train):
    torch.manual_seed(0)
    last = train(mlp(), MAKERS["adam"], steps=30).artifacts.last
    kept = statistics.of(last)
    assert statistics.of(last) is kept
    statistics.forget()
    assert statistics.of(last) is not kept
