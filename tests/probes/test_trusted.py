"""--trust: the whole file, code and all, and only when asked."""

from __future__ import annotations

import textwrap

import torch

from probes.discover import discover


class Opaque:
    """A class whose state is no state dict that the safe reader could know."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self):
        return exec, (f"open({self.path!r}, 'w').close()",)


def test_nothing_in_a_file_runs_unless_it_is_trusted(tmp_path):
    mark = tmp_path / "ran"
    torch.save({"model": {"w.weight": torch.ones(2, 2)}, "extra": Opaque(str(mark))}, tmp_path / "c.pt")
    (safe,) = discover([tmp_path / "c.pt"]).checkpoints
    assert not mark.exists()
    assert any("exec" in name for name in safe.refused)
    (whole,) = discover([tmp_path / "c.pt"], trust=True).checkpoints
    assert mark.exists()
    assert whole.format == "torch-zip-trusted"
    assert list(whole.tensors) == list(safe.tensors) == ["w.weight"]
    assert any("--trust" in w for w in whole.warnings)


def test_classes_beside_the_file_are_found(tmp_path, monkeypatch):
    source = """
        from torch import nn
        class Wrapped:
            def __init__(self): self.inner = nn.Linear(3, 2)
            def state_dict(self): return self.inner.state_dict()
    """
    (tmp_path / "their_wrapper.py").write_text(textwrap.dedent(source))
    monkeypatch.syspath_prepend(str(tmp_path))
    import their_wrapper  # type: ignore[import-not-found]

    torch.save({"net": their_wrapper.Wrapped()}, tmp_path / "c.pt")
    (whole,) = discover([tmp_path / "c.pt"], trust=True).checkpoints
    assert whole.tensors["weight"].shape == (2, 3)


def test_a_trusted_file_that_fails_is_one_sentence(tmp_path):
    (tmp_path / "c.pt").write_bytes(b"\x80\x02cno_such_module\nThing\n.")
    (unknown,) = discover([tmp_path / "c.pt"], trust=True).unknown
    assert "loading it whole failed" in unknown.why
