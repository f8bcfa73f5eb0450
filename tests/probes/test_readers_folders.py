"""Checkpoints that several files make together: DeepSpeed's partitions, Trainer's and accelerate's folders."""

from __future__ import annotations

import json
import math
import random
import sys
import types
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from probes.artifacts import Checkpoint
from probes.describe import describe
from probes.discover import discover
from probes.readers.checkpoints.checkpoint import read_checkpoint

torch.set_num_threads(1)


def trained() -> tuple[torch.nn.Sequential, torch.optim.AdamW]:
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(5, 7), torch.nn.BatchNorm1d(7), torch.nn.Linear(7, 3))
    decayed = [p for p in model.parameters() if p.dim() >= 2]
    others = [p for p in model.parameters() if p.dim() < 2]
    optimizer = torch.optim.AdamW([{"params": decayed}, {"params": others, "weight_decay": 0.0}], lr=0.01)
    for _ in range(4):
        optimizer.zero_grad()
        model(torch.randn(8, 5)).square().mean().backward()
        optimizer.step()
    return model, optimizer


def grouped(model: torch.nn.Module, optimizer: torch.optim.Optimizer) -> list[list[tuple[str, torch.nn.Parameter]]]:
    names = {id(p): n for n, p in model.named_parameters()}
    return [[(names[id(p)], p) for p in group["params"]] for group in optimizer.param_groups]


def padded(flat: torch.Tensor, ranks: int) -> list[torch.Tensor]:
    """Equal runs of a vector, the last one filled up with zeros."""
    share = -(-flat.numel() // ranks)
    return [t.clone() for t in torch.nn.functional.pad(flat, (0, share * ranks - flat.numel())).split(share)]


def runs_of(values: list[torch.Tensor], ranks: int, stage: int) -> list[torch.Tensor]:
    """What each rank keeps of a group: a run of all of it, or (stage 3) a run of every parameter."""
    if stage < 3:
        return padded(torch.cat([v.detach().flatten() for v in values]), ranks)
    each = [padded(v.detach().flatten(), ranks) for v in values]
    return [torch.cat([runs[rank] for runs in each]) for rank in range(ranks)]


def write_deepspeed(folder: Path, stage: int, ranks: int) -> tuple[torch.nn.Module, torch.optim.Optimizer]:
    model, optimizer = trained()
    groups = grouped(model, optimizer)
    folder.mkdir(parents=True)
    whole = {"module": {k: v.half() if v.is_floating_point() else v for k, v in model.state_dict().items()}}
    about: dict[str, Any] = {
        "buffer_names": [n for n, _ in model.named_buffers()],
        "param_shapes": [OrderedDict((n, p.shape) for n, p in group) for group in groups],
        "global_steps": 4,
        "lr_scheduler": {"last_epoch": 4, "_step_count": 5},
        "ds_version": "0.14.0",
    }
    prefix = "zero_pp_rank_0_" if stage == 3 else ""
    torch.save(whole | about, folder / f"{prefix}mp_rank_00_model_states.pt")
    masters = [runs_of([p for _, p in group], ranks, stage) for group in groups]
    moments = {
        key: [runs_of([optimizer.state[p][key] for _, p in group], ranks, stage) for group in groups]
        for key in ("exp_avg", "exp_avg_sq")
    }
    options = [
        {k: v for k, v in g.items() if k != "params"} | {"params": [i]} for i, g in enumerate(optimizer.param_groups)
    ]
    for rank in range(ranks):
        state = {i: {"step": 4, **{k: v[i][rank] for k, v in moments.items()}} for i in range(len(groups))}
        base = {"state": state, "param_groups": options}
        flat = [group[rank] for group in masters]
        inner: dict[str, Any] = {"zero_stage": stage, "partition_count": ranks}
        inner["loss_scaler"] = {"cur_scale": 256.0, "cur_iter": 4, "last_overflow_iter": 1, "scale_window": 1000}
        if stage == 3:
            inner |= {"fp32_flat_groups": flat, "optimizer_state_dict": base}
        else:
            inner |= {"single_partition_of_fp32_groups": flat, "base_optimizer_state": base}
        torch.save({"optimizer_state_dict": inner}, folder / f"zero_pp_rank_{rank}_mp_rank_00_optim_states.pt")
    (folder.parent / "latest").write_text(folder.name)
    return model, optimizer


@pytest.mark.parametrize(("stage", "ranks"), [(1, 1), (2, 2), (2, 3), (3, 2), (3, 11)])
def test_zero_partitions_give_back_the_weights_and_moments_that_were_trained(
    tmp_path: Path, stage: int, ranks: int
) -> None:
    model, optimizer = write_deepspeed(tmp_path / "global_step4", stage, ranks)
    (checkpoint,) = discover([tmp_path]).checkpoints
    assert checkpoint.format == f"deepspeed-zero{stage}" and checkpoint.step == 4
    assert set(checkpoint.tensors) == set(model.state_dict())
    assert checkpoint.schedulers == ({"last_epoch": 4, "_step_count": 5},)
    assert checkpoint.scaler == {"scale": 256.0, "_growth_tracker": 2, "growth_interval": 1000}
    state = checkpoint.optimizer
    assert state is not None and state.kind == "adamw" and state.mapping == "names"
    for name, parameter in model.named_parameters():
        assert np.array_equal(checkpoint.tensors[name].array(), parameter.detach().numpy())
        own = state.of(name)
        assert own is not None and own.step == 4
        for key in ("exp_avg", "exp_avg_sq"):
            want = optimizer.state[parameter][key].numpy()
            got = np.concatenate([rows for _, rows in own.slots[key].chunks(limit=16)]).reshape(want.shape)
            assert np.array_equal(got, want)


def test_a_missing_rank_is_named(tmp_path: Path) -> None:
    write_deepspeed(tmp_path / "global_step4", 2, 3)
    (tmp_path / "global_step4" / "zero_pp_rank_1_mp_rank_00_optim_states.pt").unlink()
    found = discover([tmp_path])
    assert not found.checkpoints
    assert any("2 of 3 ranks' files are there" in unknown.why for unknown in found.unknown)


def test_partitions_that_are_too_short_cost_the_tensors_that_they_should_hold(tmp_path: Path) -> None:
    write_deepspeed(tmp_path / "global_step4", 2, 1)
    path = tmp_path / "global_step4" / "zero_pp_rank_0_mp_rank_00_optim_states.pt"
    saved = torch.load(path)
    saved["optimizer_state_dict"]["single_partition_of_fp32_groups"][0] = torch.zeros(36)
    torch.save(saved, path)
    (checkpoint,) = discover([tmp_path]).checkpoints
    assert "2.weight" not in checkpoint.tensors and "0.weight" in checkpoint.tensors
    assert any("2.weight" in w for w in checkpoint.warnings)


def test_partitions_that_share_their_numbers_are_refused(tmp_path: Path) -> None:
    write_deepspeed(tmp_path / "global_step4", 2, 1)
    path = tmp_path / "global_step4" / "zero_pp_rank_0_mp_rank_00_optim_states.pt"
    saved = torch.load(path)
    saved["optimizer_state_dict"]["single_partition_of_fp32_groups"][0] = torch.zeros(1).expand(56)
    torch.save(saved, path)
    found = discover([tmp_path])
    assert not found.checkpoints and any("share their numbers" in unknown.why for unknown in found.unknown)


def only(folder: Path) -> Checkpoint:
    (checkpoint,) = discover([folder]).checkpoints
    return checkpoint


@pytest.mark.parametrize(
    ("model_file", "optimizer_file", "scheduler_file", "scaler_file"),
    [
        ("pytorch_model.bin", "optimizer.pt", "scheduler.pt", "scaler.pt"),
        ("pytorch_model.bin", "optimizer.bin", "scheduler.bin", "scaler.pt"),
    ],
)
def test_a_folder_of_parts_is_one_checkpoint(
    tmp_path: Path, model_file: str, optimizer_file: str, scheduler_file: str, scaler_file: str
) -> None:
    model, optimizer = trained()
    torch.save(model.state_dict(), tmp_path / model_file)
    torch.save(optimizer.state_dict(), tmp_path / optimizer_file)
    torch.save({"base_lrs": [0.01], "last_epoch": 4, "_step_count": 5, "_last_lr": [0.005]}, tmp_path / scheduler_file)
    torch.save({"scale": 65536.0, "growth_factor": 2.0, "_growth_tracker": 4}, tmp_path / scaler_file)
    history = [{"step": i, "loss": 1.0 / i} for i in range(1, 5)]
    (tmp_path / "trainer_state.json").write_text(json.dumps({"global_step": 4, "epoch": 2.0, "log_history": history}))
    checkpoint = only(tmp_path)
    assert (checkpoint.step, checkpoint.epoch) == (4, 2)
    assert checkpoint.schedulers[0]["_last_lr"] == [0.005]
    assert checkpoint.scaler is not None and checkpoint.scaler["scale"] == 65536.0
    assert checkpoint.optimizer is not None and checkpoint.optimizer.of("0.weight") is not None
    shown = next(e for e in describe(discover([tmp_path]))["artifacts"] if e["kind"] == "checkpoint")
    assert shown["scaler"]["_growth_tracker"] == 4


def test_the_trainers_own_count_of_steps_stands_before_the_optimizers(tmp_path: Path) -> None:
    model, optimizer = trained()
    torch.save(model.state_dict(), tmp_path / "pytorch_model.bin")
    torch.save(optimizer.state_dict(), tmp_path / "optimizer.pt")
    (tmp_path / "trainer_state.json").write_text(json.dumps({"global_step": 500, "epoch": 2.0}))
    checkpoint = only(tmp_path)
    assert checkpoint.optimizer is not None and checkpoint.optimizer.step == 4
    assert checkpoint.step == 500


@pytest.mark.parametrize("key", ["lr_sched", "x", "callbacks"])
def test_scheduler_and_scaler_are_found_under_any_key(tmp_path: Path, key: str) -> None:
    model, optimizer = trained()
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 10)
    scaler = {
        "scale": 1024.0,
        "growth_factor": 2.0,
        "backoff_factor": 0.5,
        "growth_interval": 2000,
        "_growth_tracker": 7,
    }
    torch.save({"net": model.state_dict(), key: {"a": [scheduler.state_dict()], "amp": scaler}}, tmp_path / "c.pt")
    checkpoint = read_checkpoint(tmp_path / "c.pt")
    assert checkpoint.schedulers[0]["T_max"] == 10
    assert checkpoint.scaler is not None and math.isclose(checkpoint.scaler["scale"], 1024.0)


@pytest.mark.parametrize(
    "saved",
    [
        {"amp": {"loss_scaler0": {"loss_scale": 256.0, "unskipped": 9}}},
        {"loss_scaler": {"cur_scale": 256.0, "cur_iter": 40, "last_overflow_iter": 30, "scale_window": 1000}},
        {"native_amp_scaling_state": {"scale": torch.tensor(256.0), "_growth_tracker": torch.tensor(9)}},
    ],
)
def test_scalers_of_several_libraries_are_told_in_one_way(tmp_path: Path, saved: dict[str, Any]) -> None:
    torch.save({"net": trained()[0].state_dict()} | saved, tmp_path / "c.pt")
    scaler = read_checkpoint(tmp_path / "c.pt").scaler
    assert scaler is not None and (scaler["scale"], scaler["_growth_tracker"]) == (256.0, 9)


def test_the_parts_of_a_scheduler_sequence_are_not_told_apart_from_it(tmp_path: Path) -> None:
    model, optimizer = trained()
    warm = torch.optim.lr_scheduler.LinearLR(optimizer, 0.1, total_iters=5)
    decay = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.9)
    both = torch.optim.lr_scheduler.SequentialLR(optimizer, [warm, decay], [5])
    torch.save({"net": model.state_dict(), "lr_schedulers": [both.state_dict()]}, tmp_path / "c.pt")
    (found,) = read_checkpoint(tmp_path / "c.pt").schedulers
    assert found["_milestones"] == [5]


def test_a_plateau_scheduler_that_was_saved_whole_is_found(tmp_path: Path) -> None:
    model, optimizer = trained()
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=3)
    torch.save({"net": model.state_dict(), "plan": scheduler}, tmp_path / "c.pt")
    assert read_checkpoint(tmp_path / "c.pt").schedulers[0]["patience"] == 3


def test_a_fastai_bundle_has_its_model_and_optimizer(tmp_path: Path) -> None:
    model, optimizer = trained()
    torch.save({"model": model.state_dict(), "opt": optimizer.state_dict()}, tmp_path / "learner.pth")
    checkpoint = only(tmp_path)
    assert len(checkpoint.tensors) == 9
    assert checkpoint.optimizer is not None and checkpoint.optimizer.of("2.weight") is not None


def test_fastais_own_optimizer_is_read_under_torchs_names(tmp_path: Path) -> None:
    model, _ = trained()
    ours = [{"grad_avg": 0.1 * p.detach(), "sqr_avg": p.detach() ** 2, "step": 7} for p in model.parameters()]
    hypers = [{"lr": 1e-3, "mom": 0.9, "sqr_mom": 0.99, "eps": 1e-5, "wd": 0.01}]
    torch.save({"model": model.state_dict(), "opt": {"state": ours, "hypers": hypers}}, tmp_path / "learner.pth")
    optimizer = only(tmp_path).optimizer
    assert optimizer is not None
    assert optimizer.groups[0]["betas"] == [0.9, 0.99] and optimizer.groups[0]["weight_decay"] == 0.01
    state = optimizer.of("2.weight")
    assert state is not None and set(state.slots) == {"exp_avg", "exp_avg_sq"} and state.step == 7


def test_the_arguments_of_a_training_belong_to_the_model_beside_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = types.ModuleType("somewhere")
    module.TrainingArguments = type("TrainingArguments", (), {"__module__": "somewhere"})  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "somewhere", module)
    arguments = module.TrainingArguments()
    arguments.learning_rate, arguments.warmup_steps = 5e-5, 100
    torch.save(arguments, tmp_path / "training_args.bin")
    alone = discover([tmp_path])
    assert "the arguments of the training" in alone.unknown[0].why
    torch.save(trained()[0].state_dict(), tmp_path / "pytorch_model.bin")
    checkpoint = only(tmp_path)
    assert checkpoint.hyper["training_args"] == {"learning_rate": 5e-5, "warmup_steps": 100}


def test_the_states_of_random_generators_are_known_and_not_taken_for_weights(tmp_path: Path) -> None:
    states = {"python": random.getstate(), "numpy": np.random.get_state(), "cpu": torch.random.get_rng_state()}
    torch.save(states, tmp_path / "rng_state.pth")
    assert "random number generators" in discover([tmp_path]).unknown[0].why
    torch.save(trained()[0].state_dict(), tmp_path / "pytorch_model.bin")
    found = discover([tmp_path])
    assert len(found.checkpoints) == 1 and not found.unknown


def test_what_was_not_understood_is_listed_wherever_it_lies(tmp_path: Path) -> None:
    model, optimizer = trained()
    saved = {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "normalizer": {"mean": torch.zeros(3), "count": 5},
        "epoch": 3,
    }
    torch.save(saved, tmp_path / "c.pt")
    checkpoint = only(tmp_path)
    assert checkpoint.unread == ("normalizer.mean",)
    assert checkpoint.hyper["normalizer"] == {"count": 5}
