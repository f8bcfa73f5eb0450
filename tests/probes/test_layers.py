"""The order of layers, from the names and shapes in a file."""

from pathlib import Path

import torch
from torch import nn

from probes.artifacts import Checkpoint
from probes.discover import discover
from probes.saved.layers import called, classes, depth, fan_in, strip


def saved(folder: Path, model: nn.Module) -> Checkpoint:
    torch.save(model.state_dict(), folder / "weights.pt")
    last = discover([folder]).last
    assert last is not None
    return last


def test_convolutions_know_the_normalisation_after_them_and_the_next_inputs(tmp_path):
    model = nn.Sequential(
        nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 4, 3), nn.Flatten(), nn.Linear(64, 10)
    )
    first, second, head = depth(saved(tmp_path, model))
    assert (first.kind, first.units, head.kind) == ("conv", 8, "dense")
    assert first.norm is not None
    assert second.norm is None
    assert first.next is second.weight
    assert second.next is None  # flattened: 64 inputs are not its 4 units
    assert classes(saved(tmp_path, model)) == 10


def test_embeddings_are_no_layers_and_recurrent_tensors_are_of_their_own_kind(tmp_path):
    model = nn.ModuleDict({"embedding": nn.Embedding(100, 8), "rnn": nn.LSTM(8, 16), "head": nn.Linear(16, 3)})
    kinds = [(layer.name, layer.kind) for layer in depth(saved(tmp_path, model))]
    assert kinds == [("rnn.weight_ih_l0", "recurrent"), ("rnn.weight_hh_l0", "recurrent"), ("head", "dense")]


def test_a_layer_that_has_only_a_number_is_called_layer(tmp_path):
    assert [called(n) for n in ("0", "module.3", "fc1", "body.0")] == ["layer 0", "layer 3", "fc1", "body.0"]


def test_fan_in_counts_kernel_positions_and_the_hidden_state(tmp_path):
    model = nn.ModuleDict({"conv": nn.Conv2d(3, 8, 5), "rnn": nn.LSTM(8, 16), "head": nn.Linear(16, 3)})
    found = {layer.name: fan_in(layer) for layer in depth(saved(tmp_path, model))}
    assert found == {"conv": 75, "rnn.weight_ih_l0": 16, "rnn.weight_hh_l0": 16, "head": 16}


def test_wrappers_do_not_change_what_a_tensor_is_called():
    assert strip("module.model.fc1.weight") == "fc1.weight"
    assert strip("_orig_mod.0.bias") == "0.bias"
    assert strip("fc1.weight") == "fc1.weight"


def test_a_file_without_matrices_has_no_layers(tmp_path):
    torch.save({"scale": torch.ones(3)}, tmp_path / "weights.pt")
    found = discover([tmp_path]).last
    assert found is None or depth(found) == ()
