"""How people name the parts of a data set, and what is made of it."""

from pathlib import Path

import numpy as np
import pytest
import torch

from probes.data.splits import data_sets

X, Y = np.zeros((10, 3), "f4"), np.zeros(10, "i8")


def found(folder: Path) -> list[dict[str, tuple[bool, bool]]]:
    """For every data set: split -> (inputs found, targets found)."""
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    return [
        {p.split: (p.inputs.shape == X.shape, p.targets is not None and p.targets.shape == Y.shape) for p in d.parts}
        for d in data_sets(files)
    ]


BOTH = [{"train": (True, True), "val": (True, True)}]


@pytest.mark.parametrize(
    "names",
    [
        ("x_train", "y_train", "x_val", "y_val"),
        ("trainX", "trainY", "valX", "valY"),
        ("train_images", "train_labels", "val_images", "val_labels"),
    ],
)
@pytest.mark.parametrize("one_file", [True, False])
def test_arrays_are_sorted_by_their_names(tmp_path, names, one_file):
    arrays = dict(zip(names, (X, Y, X, Y), strict=True))
    if one_file:
        np.savez(tmp_path / "data.npz", **arrays)
    else:
        for name, array in arrays.items():
            np.save(tmp_path / f"{name}.npy", array)
    assert found(tmp_path) == BOTH


@pytest.mark.parametrize(
    "pair", [lambda a, b: (a, b), lambda a, b: {"x": a, "y": b}, lambda a, b: {"inputs": a, "targets": b}]
)
def test_saved_tensors_are_sorted_by_file_folder_or_key(tmp_path, pair):
    whole = pair(torch.from_numpy(X), torch.from_numpy(Y))
    for name in ("train", "val"):
        (tmp_path / "files").mkdir(exist_ok=True)
        (tmp_path / "folders" / name).mkdir(parents=True)
        torch.save(whole, tmp_path / "files" / f"{name}.pt")
        torch.save(whole, tmp_path / "folders" / name / "data.pt")
    torch.save({"train": whole, "val": whole}, tmp_path / "all.pt")
    assert found(tmp_path) == BOTH * 3


def test_targets_of_another_length_are_not_taken(tmp_path):
    np.savez(tmp_path / "data.npz", x_train=X, y_train=Y[:5])
    assert found(tmp_path) == [{"train": (True, False)}]


def test_files_without_a_split_in_their_names_are_left_out(tmp_path):
    np.savez(tmp_path / "data.npz", x=X, y=Y)
    (tmp_path / "train.npy").write_bytes(b"\x93NUMPY\x01\x00 damaged")
    assert found(tmp_path) == []
