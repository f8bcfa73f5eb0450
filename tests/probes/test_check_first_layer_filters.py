"""Noise is called noise at its nominal rate, edges and colours are seen, and no healthy net is accused."""

import numpy as np
import pytest
import torch
from torch import nn

from probes.checks.first_layer_filters import run
from probes.discover import discover
from probes.saved.filters import against_noise, strongest

STUCK = "epoch,train_loss,train_acc\n" + "".join(f"{i},1.386,0.25\n" for i in range(1, 11))
LEARNS = "epoch,train_loss,train_acc\n" + "".join(f"{i},{1.4 / i},{1 - 0.5 / i}\n" for i in range(1, 11))


def found(folder, kernel: torch.Tensor, log: str = ""):
    out, inputs, size = kernel.shape[:3]
    model = nn.Sequential(nn.Conv2d(inputs, out, size), nn.ReLU(), nn.Flatten(), nn.Linear(out, 4))
    model[0].weight.data = kernel
    torch.save(model.state_dict(), folder / "weights.pt")
    if log:
        (folder / "log.csv").write_text(log)
    return run(discover([folder]), lambda fraction, text="": None)


def noise(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def smooth(*shape: int) -> torch.Tensor:
    return nn.functional.avg_pool2d(noise(*shape[:2], shape[2] + 2, shape[3] + 2), 3, 1)


@pytest.mark.parametrize(("channels", "size"), [(1, 5), (3, 3), (3, 7), (4, 11)])
@pytest.mark.parametrize("draw", ["uniform", "normal", "heavy"])
def test_noise_has_mean_zero_and_variance_one_whatever_its_law(channels, size, draw):
    random = np.random.default_rng(size)
    shape = (4000, channels, size, size)
    made = {"uniform": random.random, "normal": random.standard_normal, "heavy": lambda s: random.standard_t(3, s)}
    against = against_noise(made[draw](shape))
    for z in (against.neighbours, *([against.channels] if channels > 1 else [])):
        assert abs(z.mean()) < 0.06
        assert z.std() == pytest.approx(1, abs=0.05)
        assert (abs(z) > 3.3).mean() < 0.005


def test_the_null_is_that_of_shuffled_entries():
    random = np.random.default_rng(0)
    kernel = np.exp(random.standard_normal((3, 5, 5)))
    shuffled = np.stack([[random.permutation(c.ravel()).reshape(5, 5) for c in kernel] for _ in range(4000)])
    against = against_noise(shuffled)
    assert (against.neighbours.mean(), against.neighbours.std()) == pytest.approx((0, 1), abs=0.06)
    assert (against.channels.mean(), against.channels.std()) == pytest.approx((0, 1), abs=0.06)


def test_an_edge_a_checkerboard_and_a_grey_blob_are_no_noise():
    edge = np.tile(np.sign(np.arange(7) - 3.0), (3, 7, 1))
    board = np.tile(np.indices((7, 7)).sum(0) % 2 * 2.0 - 1, (3, 1, 1))
    grey = np.tile(np.random.default_rng(0).standard_normal((7, 7)), (3, 1, 1))
    against = against_noise(np.stack([edge, board, grey]))
    assert against.neighbours[0] > 5
    assert against.neighbours[1] < -5
    assert abs(against.neighbours[2]) < 3.3
    assert against.channels[2] > 5


def test_a_filter_of_opponent_colours_is_drawn_as_what_it_is():
    picture = np.random.default_rng(1).standard_normal((5, 5))
    drawn, kept = strongest(np.stack([2 * picture, -picture, 0 * picture]))
    assert kept == pytest.approx(1)
    assert drawn == pytest.approx(picture * np.sqrt(5))


def test_noise_in_a_run_that_does_not_learn_is_suspected(tmp_path):
    said = found(tmp_path, noise(32, 3, 7, 7), STUCK)
    assert [(v.diagnosis, v.verdict) for v in said.verdicts] == [("underfitting", "suspected")]
    assert "of 32 filters differ from noise" in said.verdicts[0].because


@pytest.mark.parametrize(("kernel", "log"), [(noise, LEARNS), (noise, ""), (smooth, STUCK)])
def test_noise_that_learned_and_structure_that_did_not_are_only_told(tmp_path, kernel, log):
    assert found(tmp_path, kernel(32, 3, 7, 7), log).verdicts == ()


def test_few_small_filters_are_never_judged(tmp_path):
    said = found(tmp_path, noise(6, 1, 3, 3), STUCK)
    assert said.verdicts == ()
    assert "too few or too small" in said.title


def test_the_filters_are_drawn_the_most_structured_first(tmp_path):
    kernel = noise(40, 3, 5, 5)
    kernel[17] = smooth(1, 1, 5, 5)[0]
    (plot,) = found(tmp_path, kernel).plots
    assert len(plot.images) == 24
    assert plot.images[0].label.startswith("#17 ")
    assert all(len(image.rows) == 5 for image in plot.images)


@pytest.mark.parametrize(
    ("model", "why"),
    [
        (nn.Sequential(nn.Linear(8, 8)), "no two-dimensional convolution"),
        (nn.Sequential(nn.Conv2d(16, 8, 3)), "16 channels"),
        (nn.Sequential(nn.Conv2d(3, 8, 1)), "1 x 1 kernel"),
        (nn.Sequential(nn.Conv2d(3, 1, 400)), "too large"),
        (nn.Sequential(nn.Conv1d(1, 8, 9)), "no two-dimensional convolution"),
    ],
)
def test_what_is_no_first_layer_over_images_is_named(tmp_path, model, why):
    torch.save(model.state_dict(), tmp_path / "weights.pt")
    said = run(discover([tmp_path]), lambda fraction, text="": None)
    assert said.status == "could-not-check"
    assert why in said.title


def test_pruned_filters_count_as_unlike_nothing(tmp_path):
    kernel = smooth(16, 1, 7, 7)
    kernel[:4] = 0
    said = found(tmp_path, kernel)
    assert said.measures[0].value <= 12
    assert said.status == "done"
