"""Files made to hurt whoever opens them: each is understood with a warning or refused in one sentence, soon and small.

Every file is looked at in a process of its own, which may use a gigabyte and five seconds.
"""

from __future__ import annotations

import pickle
import struct
import sys
from pathlib import Path

import hostile_headers  # noqa: F401 (it adds to ATTACKS)
import hostile_pickles  # noqa: F401 (it adds to ATTACKS)
import pytest
from hostile import ATTACKS, MEGABYTES, SECONDS, Seen, beside, looked_at, text, torch_zip

if sys.platform == "win32":
    pytest.skip("needs fork and limits of memory", allow_module_level=True)


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Seen]:
    """All attacks, each made in a folder of its own and looked at."""
    made = {name: one.make(tmp_path_factory.mktemp(name)) for name, one in ATTACKS.items()}
    return dict(zip(made, looked_at(made.values()), strict=True))


def those(outcome: str) -> list[str]:
    return [name for name, one in ATTACKS.items() if one.outcome == outcome]


@pytest.mark.parametrize("name", list(ATTACKS))
def test_a_hostile_file_costs_little_and_ends_in_plain_sentences(seen: dict[str, Seen], name: str) -> None:
    result = seen[name]
    assert not result.raised
    assert result.seconds < SECONDS
    assert result.megabytes < MEGABYTES
    for sentence in result.sentences:
        assert sentence.isprintable() and len(sentence) < 500


@pytest.mark.parametrize("name", those("left_out"))
def test_the_sound_tensors_of_a_hostile_file_are_read_and_the_others_named(seen: dict[str, Seen], name: str) -> None:
    (entry,) = seen[name].entries
    assert entry["kind"] == "checkpoint" and entry["tensors"] >= 1
    assert any("left out" in w for w in entry["warnings"])


@pytest.mark.parametrize("name", those("refused"))
def test_what_cannot_be_believed_is_refused(seen: dict[str, Seen], name: str) -> None:
    kinds = [entry["kind"] for entry in seen[name].entries]
    assert "checkpoint" not in kinds and "unknown" in kinds
    assert len(seen[name].sentences) <= 2


@pytest.mark.parametrize("name", those("walked"))
def test_odd_shapes_are_walked_once(seen: dict[str, Seen], name: str) -> None:
    (entry,) = seen[name].entries
    assert entry["kind"] == "checkpoint" and entry["tensors"] >= 1


CALLS = [
    ("os", "system"), ("posix", "system"), ("builtins", "exec"), ("builtins", "eval"), ("subprocess", "Popen"),
    ("runpy", "_run_code"), ("importlib", "import_module"), ("pickle", "loads"), ("torch.hub", "load"),
    ("__builtin__", "eval"), ("webbrowser", "open"),
]  # fmt: skip


@pytest.mark.parametrize(("module", "function"), CALLS)
@pytest.mark.parametrize("zipped", [True, False])
def test_a_file_that_asks_for_commands_says_so_beside_its_tensors(
    tmp_path: Path, module: str, function: str, zipped: bool
) -> None:
    from probes.readers.checkpoints.checkpoint import read_checkpoint

    bait = tmp_path / "ran"
    call = f"c{module}\n{function}\n".encode() + text(f"touch {bait}") + b"\x85R"
    path = torch_zip(tmp_path / "c.pt", beside(call))
    if not zipped:
        parts = [0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}]
        head = b"".join(pickle.dumps(p, 2) for p in parts)
        tail = pickle.dumps(["0"], 2) + struct.pack("<q", 4) + b"\0" * 16
        path.write_bytes(head + beside(call) + tail)
    checkpoint = read_checkpoint(path)
    name = f"{'builtins' if module == '__builtin__' else module}.{function}"
    assert list(checkpoint.tensors) == ["good.weight"] and not bait.exists()
    assert f"it asks for {name}, which a checkpoint never needs: do not load it with pickle." in checkpoint.warnings


def test_harmless_classes_raise_no_alarm(tmp_path: Path) -> None:
    from probes.readers.checkpoints.checkpoint import read_checkpoint

    names = [b"cargparse\nNamespace\n", b"cfunctools\npartial\n", b"cbuiltins\ngetattr\n", b"cosmos.net\nModel\n"]
    path = torch_zip(tmp_path / "c.pt", beside(b"](" + b"".join(n + b")R" for n in names) + b"e"))
    assert read_checkpoint(path).warnings == ()


def test_a_plain_pickle_is_not_read_and_its_wish_is_named(tmp_path: Path) -> None:
    from probes.errors import Unreadable
    from probes.readers.checkpoints.checkpoint import read_checkpoint

    (tmp_path / "p.pkl").write_bytes(b"\x80\x04cos\nsystem\n" + text("true") + b"\x85R.")
    with pytest.raises(Unreadable, match=r"os\.system"):
        read_checkpoint(tmp_path / "p.pkl")
