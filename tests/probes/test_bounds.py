"""Bounds that no input breaks, searched for with adversarial inputs; and units that are proved dead."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from probes.discover import discover
from probes.saved.bounds import proofs


class Block(nn.Module):
    """A Transformer-like feed-forward block, named as such blocks are."""

    def __init__(self, d: int = 12, hidden: int = 24) -> None:
        super().__init__()
        self.attn = nn.MultiheadAttention(d, 2)
        self.norm2 = nn.LayerNorm(d)
        self.mlp = nn.ModuleDict({"fc1": nn.Linear(d, hidden), "fc2": nn.Linear(hidden, d)})


def saved(tmp_path, model):
    torch.save(model.state_dict(), tmp_path / "model.pt")
    return discover([tmp_path / "model.pt"]).last


def silent_and_always(pre: torch.Tensor) -> tuple[int, int]:
    return int((pre <= 0).all(0).sum()), int((pre > 0).all(0).sum())


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.floats(-3.0, 3.0))
def test_after_a_layer_norm_the_bound_is_attained_and_never_broken(tmp_path_factory, seed, shift):
    torch.manual_seed(seed)
    block = Block()
    with torch.no_grad():
        block.norm2.weight.normal_()
        block.norm2.bias.normal_()
        block.mlp["fc1"].bias.fill_(shift)
    proof = next(p for p in proofs(saved(tmp_path_factory.mktemp("b"), block), relu=True) if p.layer == "mlp.fc1")
    # the worst inputs there are: z along the (mean-free) weights of each unit, both ways
    direction = block.mlp["fc1"].weight.detach() * block.norm2.weight.detach()
    inputs = torch.cat([direction, -direction, torch.randn(500, 12)])
    with torch.no_grad():
        pre = block.mlp["fc1"](block.norm2(1e4 * inputs))
    assert (proof.silent, proof.always) == silent_and_always(pre)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.floats(-20.0, 20.0))
def test_what_is_proved_through_an_activation_holds_for_every_input_tried(tmp_path_factory, seed, shift):
    for activation in (nn.ReLU(), nn.GELU(), nn.SiLU(), nn.Softplus(), nn.Tanh()):
        torch.manual_seed(seed)
        model = nn.Sequential(
            nn.Linear(6, 8), nn.LayerNorm(8), activation, nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 2)
        )
        with torch.no_grad():
            model[3].bias.uniform_(shift - 1, shift + 1)
            pre = model[:4](100 * torch.randn(2000, 6))
        found = {p.layer: p for p in proofs(saved(tmp_path_factory.mktemp("b"), model), relu=True)}
        silent, always = silent_and_always(pre)
        assert found["3"].silent <= silent
        assert found["3"].always <= always


def test_after_a_relu_only_units_with_no_positive_weight_are_proved(tmp_path):
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 2))
    with torch.no_grad():
        model[2].weight.uniform_(-1, 1)
        model[2].weight[:3] = -model[2].weight[:3].abs()
        model[2].bias.fill_(-0.1)
        model[2].weight[3] = model[2].weight[3].abs()
        model[2].bias[3] = 0.5
    checkpoint = saved(tmp_path, model)
    assert [(p.layer, p.silent, p.always) for p in proofs(checkpoint, relu=True)] == [("2", 3, 1)]
    assert proofs(checkpoint, relu=False) == []


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
def test_the_state_of_an_lstm_or_gru_is_bounded_and_that_of_a_plain_rnn_is_not_known_to_be(tmp_path, kind):
    torch.manual_seed(1)
    model = nn.Sequential(kind(5, 10), nn.Linear(10, 6), nn.Linear(6, 2))
    with torch.no_grad():
        model[1].bias[:4] = -1.01 * model[1].weight[:4].abs().sum(1)
        model[1].bias[4:] = 0
    found = [(p.layer, p.silent) for p in proofs(saved(tmp_path, model), relu=False)]
    assert found == ([] if kind is nn.RNN else [("1", 4)])


def test_a_batch_norm_far_below_zero_silences_its_units(tmp_path):
    from probes.saved.firing import behind_batch_norm

    model = nn.Sequential(nn.Conv2d(1, 10, 3), nn.BatchNorm2d(10), nn.ReLU(), nn.Flatten(), nn.Linear(10, 2))
    with torch.no_grad():
        model[1].bias[:4] = -4.0
        model[1].weight[4], model[1].bias[4] = 0.0, 0.0  # pruned, or a residual block's start: not silent by this
    found = behind_batch_norm(saved(tmp_path, model))
    assert [(n.layer, n.units, n.silent) for n in found] == [("0", 10, 4)]
    assert np.isfinite(found[0].silent)
