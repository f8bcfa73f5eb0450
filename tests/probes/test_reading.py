"""The one pass over all files: the same numbers on two threads as on one, with progress that only rises."""

import pytest
import torch

from probes.discover import discover
from probes.saved import reading, statistics


@pytest.fixture
def run(tmp_path):
    torch.manual_seed(0)
    for step in (1, 2):
        layers = {f"{i}.weight": torch.randn(64, 64, dtype=torch.float64) for i in range(12)}
        state = {
            i: {"step": torch.tensor(5.0), "exp_avg": torch.randn(64, 64), "exp_avg_sq": torch.rand(64, 64)}
            for i in range(12)
        }
        group = {"lr": 0.1, "betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0, "params": list(range(12))}
        saved = {"model": layers, "optimizer": {"state": state, "param_groups": [group]}, "step": step}
        torch.save(saved, tmp_path / f"{step}.pt")
    return discover([tmp_path]).checkpoints


@pytest.mark.parametrize("threads", [1, 2])
def test_all_that_probes_ask_for_later_is_read_at_once(run, threads, monkeypatch):
    monkeypatch.setattr(reading, "WORTH_THREADS", 0)
    monkeypatch.setattr(reading, "THREADS", threads)
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")
    told: list[float] = []
    reading.gather(run, lambda fraction, text="": told.append(fraction))
    assert told == sorted(told) and told[-1] == 1
    seen = [statistics.of(c).seen for c in run]
    for checkpoint in run:
        for tensor in checkpoint.tensors.values():
            assert statistics.of(checkpoint).norm(tensor) == pytest.approx(float(torch.tensor(tensor.array()).norm()))
    last = run[-1]
    assert all(statistics.of(last).sums(p) is not None for p in last.optimizer.parameters)
    assert [statistics.of(c).seen for c in run] == seen  # nothing was read again
    assert seen[0] == 12 * 64 * 64 * 8  # an earlier checkpoint's optimizer waits until it is asked for
    assert seen[1] == 12 * 64 * 64 * (8 + 4 + 4)


def test_a_tensor_that_cannot_be_read_does_not_stop_the_others(run):
    path = run[-1].path
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    statistics.forget()
    reading.gather(run)
    assert statistics.of(run[-1]).norm(next(iter(run[-1].tensors.values()))) > 0
