"""Optimizer states beside weights whose file sorted the names: named where shapes leave no choice, never wrongly."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from probes.artifacts import Checkpoint
from probes.discover import discover
from probes.readers.checkpoints.registration import registered
from probes.saved.histories import histories

torch.set_num_threads(1)


class Stack(nn.Module):
    """Twelve equal layers: by name the eleventh comes before the third."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(8, 8) for _ in range(12)])


class Block(nn.Module):
    """A decoder's block as GPT-2 names it; its names sort otherwise than it registers them."""

    def __init__(self, split: bool) -> None:
        super().__init__()
        self.ln_1 = nn.LayerNorm(8)
        self.attn = nn.ModuleDict(
            {n: nn.Linear(8, 8) for n in ("q", "k", "v", "c_proj")}
            if split
            else {"c_attn": nn.Linear(8, 24), "c_proj": nn.Linear(8, 8)}
        )
        self.ln_2 = nn.LayerNorm(8)
        self.mlp = nn.ModuleDict({"c_fc": nn.Linear(8, 32), "c_proj": nn.Linear(32, 8)})


class Decoder(nn.Module):
    def __init__(self, split: bool = False) -> None:
        super().__init__()
        self.wte, self.wpe = nn.Embedding(50, 8), nn.Embedding(16, 8)
        self.h = nn.ModuleList([Block(split) for _ in range(11)])
        self.ln_f = nn.LayerNorm(8)


class Network(nn.Module):
    """Convolutions with batch norms (whose buffers are in the file as well), numbered and not."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 4, 3, bias=False), nn.BatchNorm2d(4)
        self.layer1, self.layer2 = nn.Sequential(nn.Conv2d(4, 6, 3), nn.BatchNorm2d(6)), nn.Conv2d(6, 8, 3)
        self.rnn, self.fc = nn.LSTM(8, 5, num_layers=2, bidirectional=True), nn.Linear(10, 2)


def save(folder: Path, model: nn.Module, grouped: bool, shards: bool = False) -> list[str]:
    """Saves weights and an AdamW after one step; returns the names in the optimizer's order."""
    named = list(model.named_parameters())
    matrices, vectors = ([(n, p) for n, p in named if (p.dim() >= 2) == which] for which in (True, False))
    parts = [matrices, vectors] if grouped else [named]
    optimizer = torch.optim.AdamW([{"params": [p for _, p in part]} for part in parts])
    for _, parameter in named:
        parameter.grad = torch.randn_like(parameter)
    optimizer.step()
    torch.save(optimizer.state_dict(), folder / "optimizer.pt")
    weights = model.state_dict()
    if not shards:
        save_file(weights, folder / "model.safetensors")
        return [n for part in parts for n, _ in part]
    names, index = list(weights), {}
    for i, some in enumerate((names[: len(names) // 2], names[len(names) // 2 :])):
        file = f"model-0000{i + 1}-of-00002.safetensors"
        save_file({n: weights[n] for n in some}, folder / file)
        index |= dict.fromkeys(some, file)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": index}, sort_keys=True))
    return [n for part in parts for n, _ in part]


def read(folder: Path) -> Checkpoint:
    (checkpoint,) = discover([folder]).checkpoints
    return checkpoint


@pytest.mark.parametrize("make", [Stack, Network])
@pytest.mark.parametrize("grouped", [False, True])
@pytest.mark.parametrize("shards", [False, True])
def test_the_order_of_registration_is_found_again(tmp_path: Path, make: type, grouped: bool, shards: bool) -> None:
    wanted = save(tmp_path, make(), grouped, shards)
    state = read(tmp_path).optimizer
    assert state is not None and (state.mapping, state.mapping_note) == ("order", "")
    assert [p.name for p in state.parameters] == wanted


@pytest.mark.parametrize("grouped", [False, True])
def test_a_decoders_matrices_all_have_their_names(tmp_path: Path, grouped: bool) -> None:
    wanted = save(tmp_path, Decoder(), grouped)
    state = read(tmp_path).optimizer
    assert state is not None
    names = [p.name for p in state.parameters]
    assert [n for n in names if n and "ln_" not in n and "bias" not in n] == [
        n for n in wanted if "ln_" not in n and "bias" not in n
    ]
    assert all(name in {None, true} for name, true in zip(names, wanted, strict=True))
    assert "h.0.ln_1.weight" not in names  # the last norm could as well be the first one


def test_equal_siblings_are_left_without_a_name_and_nothing_is_said_of_them(tmp_path: Path) -> None:
    wanted = save(tmp_path, Decoder(split=True), grouped=True)
    checkpoint = read(tmp_path)
    state = checkpoint.optimizer
    assert state is not None and state.mapping == "shapes" and "would settle it" in state.mapping_note
    told = {p.name: name for p, name in zip(state.parameters, wanted, strict=True) if p.name is not None}
    assert all(a == b for a, b in told.items())
    assert "h.10.mlp.c_fc.weight" in told and "h.3.attn.q.weight" not in told
    past = {h.layer.name: h.past for h in histories(checkpoint)[0]}
    assert past["h.10.mlp.c_fc"] == "trained" and "h.3.attn.q" not in past


def llama(layers: int) -> dict[str, tuple[int, ...]]:
    """A model of this family in its order of registration."""
    shapes: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": (320, 64)}
    for i in range(layers):
        here = f"model.layers.{i}"
        shapes |= {f"{here}.self_attn.{n}_proj.weight": (64, 64) for n in "qkvo"}
        shapes |= {f"{here}.mlp.{n}_proj.weight": (172, 64) for n in ("gate", "up")}
        shapes |= {f"{here}.mlp.down_proj.weight": (64, 172)}
        shapes |= {f"{here}.{n}_layernorm.weight": (64,) for n in ("input", "post_attention")}
    return shapes | {"model.norm.weight": (64,), "lm_head.weight": (320, 64)}


@pytest.mark.parametrize("grouped", [False, True])
def test_the_children_of_well_known_models_have_their_well_known_order(grouped: bool) -> None:
    shapes = llama(12)
    order = sorted(shapes, key=lambda n: len(shapes[n]) < 2) if grouped else list(shapes)
    groups = [[n for n in order if (len(shapes[n]) < 2) == vector] for vector in (False, True)] if grouped else [order]
    found = registered({n: shapes[n] for n in sorted(shapes)}, [[shapes[n] for n in group] for group in groups])
    assert found is not None
    assert all(a in {None, b} for a, b in zip(found, order, strict=True))
    inside = [(a, b) for a, b in zip(found, order, strict=True) if "_proj" in b]
    assert all(a == b for a, b in inside) and len(inside) == 7 * 12


def test_fewer_states_than_parameters_are_not_forced_into_an_order() -> None:
    shapes = {f"a.{i}.weight": (3, 3) for i in range(4)}
    assert registered(shapes, [[(3, 3)] * 3]) is None


def test_shapes_that_no_order_of_registration_has_are_refused() -> None:
    shapes = {"a.0.weight": (3, 3), "a.1.weight": (4, 3)}
    assert registered(shapes, [[(4, 3), (3, 3)]]) is None


@pytest.mark.parametrize(
    "names",
    [
        [f"{letter}.weight" for letter in "abcdefghijkl"],
        [f"x{'abcdefgh'[i % 8]}{i}q.weight" for i in range(20_000)],
        [f"{'a' if i % 2 else 'b'}.{i}.weight" for i in range(20_000)],
        [f"m.{'a' if i % 2 else 'b'}{i}.weight" for i in range(20_000)],
        ["." * 100_000 + "weight"],
    ],
)
def test_too_many_possibilities_are_given_up_in_time(names: list[str]) -> None:
    start = time.process_time()
    registered(dict.fromkeys(names, (3, 3)), [[(3, 3)] * len(names)])
    assert time.process_time() - start < 3
