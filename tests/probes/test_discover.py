"""Folders as people leave them: every file is recognised by content or says why not."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from probes.describe import describe
from probes.discover import discover
from probes.errors import Unreadable

TRAIN = "import torch\nfor x, y in data:\n    loss = f(model(x), y)\n    loss.backward()\n    optimizer.step()\n"
TARGET = "def build_model(): ...\ndef load_batch(): ...\nraise SystemExit('must never run')\n"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    model = torch.nn.Linear(3, 2)
    optimizer = torch.optim.Adam(model.parameters())
    for step in (9, 10, 100):
        model(torch.randn(4, 3)).sum().backward()
        optimizer.step()
        state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": step}
        torch.save(state, tmp_path / f"ckpt_{step}.bin")
    torch.save({"x": torch.randn(8, 3), "y": torch.randn(8, 2)}, tmp_path / "train.pt")
    np.savez(tmp_path / "data.npz", a=np.ones(3))
    (tmp_path / "log").write_text("epoch,loss,val_loss\n1,2,3\n2,1,2\n")
    (tmp_path / "fit.py").write_text(TRAIN)
    (tmp_path / "net.py").write_text(TARGET)
    return tmp_path


def test_a_run_folder_is_sorted_out_by_content(run: Path) -> None:
    found = discover([run])
    assert [c.path.name for c in found.checkpoints] == ["ckpt_9.bin", "ckpt_10.bin", "ckpt_100.bin"]
    assert found.last is not None and found.last.step == 100
    assert [log.path.name for log in found.logs] == ["log"]
    assert {p.name for p in found.data} == {"train.pt", "data.npz"}
    assert found.script is not None and found.script.path.name == "fit.py"
    assert found.target is None and found.target_candidate == run / "net.py"
    assert found.unknown == ()


def test_describing_it_gives_plain_json_data(run: Path) -> None:
    described = describe(discover([run], target=run / "net.py"))
    kinds = [a["kind"] for a in described["artifacts"]]
    assert kinds == ["checkpoint"] * 3 + ["log", "target", "data", "data", "script"]
    first = described["artifacts"][0]
    assert (first["tensors"], first["parameters"], first["nonfinite"], first["optimizer"]) == (2, 8, 0, "adam")
    curve = described["artifacts"][3]["series"][0]
    assert (curve["name"], curve["points"], curve["first"], curve["last"]) == ("train/loss", 2, 2.0, 1.0)


def test_nonfinite_weights_are_counted_and_tied_ones_in_each_place(tmp_path: Path) -> None:
    weight = torch.tensor([[1.0, float("nan")], [float("inf"), 2.0]])
    torch.save({"a.weight": weight, "b.weight": weight, "c": torch.ones(2)}, tmp_path / "c.pt")
    assert describe(discover([tmp_path]))["artifacts"][0]["nonfinite"] == 4


def test_a_nan_in_a_log_is_a_string_in_json(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text("epoch,loss\n1,2\n2,nan\n")
    curve = describe(discover([tmp_path]))["artifacts"][0]["series"][0]
    assert (curve["last"], curve["min"]) == ("nan", 2.0)


def test_a_model_and_its_optimizer_in_two_files_are_joined(tmp_path: Path) -> None:
    model = torch.nn.Linear(3, 2)
    optimizer = torch.optim.AdamW(model.parameters())
    model(torch.randn(4, 3)).sum().backward()
    optimizer.step()
    torch.save(model.state_dict(), tmp_path / "params.pt")
    torch.save(optimizer.state_dict(), tmp_path / "optimizer.pt")
    (checkpoint,) = discover([tmp_path]).checkpoints
    assert checkpoint.optimizer is not None and checkpoint.optimizer.of("weight") is not None


def why(folder: Path, name: str) -> str:
    return next(u.why for u in discover([folder]).unknown if u.path.name == name)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("empty.pt", b"", "0 bytes"),
        ("model.bin", b"version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 9\n", "Git LFS pointer"),
        ("half.pt", b"PK\x03\x04" + b"\0" * 100, "cut short"),
        ("weights.h5", b"\x89HDF\r\n\x1a\n" + b"\0" * 50, "HDF5"),
        ("net.onnx", b"\x08\x07\x12\x07pytorch\x1a\x012" + b"\0" * 90, "ONNX"),
        ("__0_0.distcp", b"PK\x03\x04" + b"\0" * 90, "distributed checkpoint"),
        ("objects.pkl", b"\x80\x04N.", "not a checkpoint"),
        ("notes.txt", b"we should lower the learning rate\n", "no training curve"),
        ("old.pth", b"sys_info".ljust(257, b"\0") + b"ustar\x0000", "a tar file"),
        ("m.safetensors", b"\x90" + b"\0" * 7 + b'{"a":', "cut short"),
        ("noise", bytes(range(256)), "binary data"),
        ("broken.py", b"def f(:\n", "not valid Python"),
    ],
)
def test_a_file_that_is_not_understood_says_why(tmp_path: Path, name: str, content: bytes, says: str) -> None:
    (tmp_path / name).write_bytes(content)
    assert says in why(tmp_path, name)


def test_links_and_pipes_are_refused(tmp_path: Path) -> None:
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "pipe")
    assert "link" in why(tmp_path, "dangling")
    assert "pipe" in why(tmp_path, "pipe")


def test_folders_of_tools_are_not_walked(tmp_path: Path) -> None:
    for name in (".git", "node_modules", "venv"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "log.csv").write_text("epoch,loss\n1,2\n2,1\n")
    assert discover([tmp_path]).logs == ()


def test_an_empty_folder_holds_nothing_and_a_missing_path_is_an_error(tmp_path: Path) -> None:
    assert discover([tmp_path]).checkpoints == ()
    with pytest.raises(Unreadable, match="no such file or folder"):
        discover([tmp_path / "nothing"])
    with pytest.raises(Unreadable, match="no such file"):
        discover([tmp_path], target=tmp_path / "nothing.py")


def test_shards_are_one_checkpoint_and_names_outside_the_folder_are_refused(tmp_path: Path) -> None:
    save_file({"a": torch.ones(2)}, tmp_path / "m-1.safetensors")
    save_file({"b": torch.ones(3)}, tmp_path / "m-2.safetensors")
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"a": "m-1.safetensors", "b": "m-2.safetensors"}}))
    (checkpoint,) = discover([tmp_path]).checkpoints
    assert (checkpoint.path, checkpoint.format, set(checkpoint.tensors)) == (index, "safetensors-sharded", {"a", "b"})
    index.write_text(json.dumps({"weight_map": {"a": "../m-1.safetensors"}}))
    assert "not there" in why(tmp_path, index.name)


def test_a_file_of_settings_alone_is_no_checkpoint(tmp_path: Path) -> None:
    torch.save({"last_epoch": 3, "_step_count": 4}, tmp_path / "scheduler.pt")
    assert "no model weights" in why(tmp_path, "scheduler.pt")
