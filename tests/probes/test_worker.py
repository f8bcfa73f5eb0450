"""The worker as a real child process: what its parent says when it is killed, hangs, is cancelled or runs odd code."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

import probes.client
from probes.client import Worker
from probes.errors import Unreadable

ROOT = Path(probes.client.__file__).parent
HEAD = '''"""{title}

What it measures
----------------
Formula
Thresholds and sources
Evidence
Reads
Cannot tell
"""
import os, sys, time
from ..finding import Finding
from ..errors import Unreadable
NEEDS = ("checkpoint", "target")
SPEAKS_TO = ("dead-relu",)
COST = "file"

def run(artifacts, progress):
'''
BODIES = {
    "fine": "progress(0.5, 'half'); return Finding('fine', f'{len(artifacts.last.tensors)} tensors')",
    "raises": "raise ValueError('three rows\\nand none')",
    "exits": "sys.exit(3)",
    "hangs": "progress(0.1, 'hanging'); time.sleep(60)",
    "dies": "os.kill(os.getpid(), 9)",
    "starves": "x = [bytearray(50 << 20) for _ in range(200)]; return Finding('starves', 'no limit')",
    "refuses": "raise Unreadable('no such layer', 'model', 'give another')",
    "imports": "import importlib.util as u\n    spec = u.spec_from_file_location('person_target', artifacts.target)\n"
    "    module = u.module_from_spec(spec); spec.loader.exec_module(module)\n"
    "    return Finding('imports', module.build_model())",
}


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package whose probes are the ones above."""
    copy = tmp_path_factory.mktemp("house") / "probes"
    for source in ROOT.rglob("*.py"):
        place = copy / source.relative_to(ROOT)
        if "checks" not in place.parts or place.name == "__init__.py":
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(source.read_bytes())
    for name, body in BODIES.items():
        (copy / "checks" / f"{name}.py").write_text(HEAD.format(title=name) + f"    {body}\n")
    return copy


@pytest.fixture
def worker(package: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Worker]:
    monkeypatch.setattr(probes.client, "BOOT", package / "boot.py")
    with Worker(probe_timeout_s=30) as worker:
        yield worker


@pytest.fixture
def run_folder(tmp_path: Path) -> Path:
    torch.save({"w": torch.randn(4, 4), "b": torch.randn(4)}, tmp_path / "c.pt")
    return tmp_path


def test_a_probe_runs_and_reports_progress(worker: Worker, run_folder: Path) -> None:
    described = worker.open([run_folder])
    assert [a["kind"] for a in described["artifacts"]] == ["checkpoint"]
    seen: list[str] = []
    finding = worker.run("fine", lambda fraction, text="": seen.append(text))
    assert (finding.status, finding.title) == ("done", "2 tensors")
    assert seen == ["half", ""] and finding.seconds < 5


@pytest.mark.parametrize(
    ("probe", "status", "says"),
    [
        ("raises", "crashed", "ValueError: three rows and none at raises.py:"),
        ("exits", "crashed", "SystemExit: 3"),
        ("refuses", "could-not-check", "could not read model: no such layer"),
        ("nonsense", "could-not-check", "no such probe"),
    ],
)
def test_a_probe_that_raises_leaves_the_worker_alive(
    worker: Worker, run_folder: Path, probe: str, status: str, says: str
) -> None:
    worker.open([run_folder])
    finding = worker.run(probe)
    assert finding.status == status and says in finding.title and "\n" not in finding.title
    assert worker.run("fine").status == "done"


def test_a_killed_worker_is_a_finding_and_the_next_call_starts_anew(worker: Worker, run_folder: Path) -> None:
    worker.open([run_folder])
    finding = worker.run("dies")
    assert finding.status == "crashed" and "signal 9" in finding.title
    assert worker.run("fine").title == "2 tensors"


def test_a_probe_that_hangs_ends_at_its_time_limit(
    package: Path, run_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probes.client, "BOOT", package / "boot.py")
    with Worker(probe_timeout_s=0.5) as worker:
        worker.open([run_folder])
        finding = worker.run("hangs")  # it never ends by itself
        assert finding.status == "crashed" and "time limit of 0.5 s" in finding.title


def test_cancelling_from_another_thread_ends_what_would_never_end(worker: Worker, run_folder: Path) -> None:
    worker.open([run_folder])
    started = threading.Event()

    def cancel() -> None:
        started.wait(20)
        worker.cancel()

    thread = threading.Thread(target=cancel)
    thread.start()
    finding = worker.run("hangs", lambda fraction, text="": started.set())
    assert (finding.status, finding.title) == ("could-not-check", "it was cancelled")
    assert worker.run("fine").status == "done"
    thread.join()


@pytest.mark.skipif(sys.platform != "linux", reason="needs a file with a hole, larger than the disk may be")
def test_cancelling_in_the_middle_of_one_huge_tensor_ends_the_reading(worker: Worker, tmp_path: Path) -> None:
    numbers = 8 << 30
    header = json.dumps(
        {"fc.weight": {"dtype": "F32", "shape": [1, numbers], "data_offsets": [0, 4 * numbers]}}
    ).encode()
    path = tmp_path / "huge.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header)
    os.truncate(path, 8 + len(header) + 4 * numbers)
    told: list[float] = []

    def stop(fraction: float, text: str = "") -> None:
        told.append(fraction)
        if "GB" in text and 0 < fraction < 1:
            threading.Thread(target=worker.cancel).start()

    with pytest.raises(Unreadable, match="cancelled"):
        worker.open([path], on_progress=stop)
    assert told[-1] == 1  # the end is told, so that a bar can be taken away
    assert max(told[:-1]) < 0.9
    path.unlink()


def test_cancelling_while_nothing_runs_does_nothing(worker: Worker, run_folder: Path) -> None:
    worker.open([run_folder])
    worker.cancel()
    assert worker.run("fine").status == "done"


@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_DATA bounds mappings on Linux only")
def test_a_probe_that_eats_memory_meets_its_limit(
    package: Path, run_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probes.client, "BOOT", package / "boot.py")
    with Worker(memory_mb=700) as worker:
        worker.open([run_folder])
        finding = worker.run("starves")
        assert finding.status == "crashed" and "memory" in finding.title
        assert worker.run("fine").status == "done"


def test_a_target_whose_own_package_is_called_probes_loads_as_theirs(worker: Worker, run_folder: Path) -> None:
    project = run_folder / "project"
    (project / "probes").mkdir(parents=True)
    (project / "probes" / "__init__.py").write_text("MINE = 'their own probes'\n")
    (project / "target.py").write_text(
        "import os, probes\nprint('chatter')\nos.write(1, b'{\"result\": 1}\\n')\n"
        "def build_model(): return probes.MINE\ndef load_batch(): ...\n"
    )
    worker.open([run_folder / "c.pt"], target=project / "target.py")
    assert worker.run("imports").title == "their own probes"
    deadline = time.monotonic() + 5  # what it printed comes by another pipe, a moment later
    while "chatter" not in worker.last_words and time.monotonic() < deadline:
        time.sleep(0.01)
    assert "chatter" in worker.last_words


def test_what_cannot_be_opened_is_one_sentence(worker: Worker, tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match="no such file or folder"):
        worker.open([tmp_path / "nothing"])
    (tmp_path / "empty.pt").touch()
    described = worker.open([tmp_path])
    assert "0 bytes" in described["artifacts"][0]["warnings"][0]


def test_running_before_opening_says_so() -> None:
    with Worker() as worker:
        assert worker.run("fine").status == "could-not-check"


def test_an_interpreter_without_torch_is_named(tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    bare.write_text(f'#!/bin/sh\nexec {sys.executable} -S -E "$@"\n')
    bare.chmod(0o755)
    with Worker(python=str(bare)) as worker, pytest.raises(Unreadable, match="no torch"):
        worker.open([tmp_path])
    with Worker(python=str(tmp_path / "absent")) as worker, pytest.raises(Unreadable, match="cannot be started"):
        worker.open([tmp_path])


def test_a_parent_that_dies_takes_its_worker_along(package: Path) -> None:
    code = "import sys, subprocess as s; print(s.Popen([sys.executable, sys.argv[1]], stdin=s.PIPE).pid)"
    done = subprocess.run(
        [sys.executable, "-c", code, str(package / "boot.py")], capture_output=True, text=True, check=True
    )
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            os.kill(int(done.stdout), 0)
        except ProcessLookupError:
            return
        time.sleep(0.1)
    os.kill(int(done.stdout), signal.SIGKILL)
    pytest.fail("the worker outlived its parent")


def test_the_client_imports_neither_numpy_nor_torch() -> None:
    code = "import sys, probes.client, probes.registry as r; r.probes(); print(*{'numpy', 'torch'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT.parent, check=True)
    assert done.stdout.strip() == ""
