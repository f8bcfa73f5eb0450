"""Following a run: told once, told when it changes, and never thrown by files that come, go and shrink."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from assistant.watch import Said, Watch, state

PROGRAM = [sys.executable, "-m", "assistant.cli", "watch", "--every", "0.1", "--jsonl"]
ROOT = Path(__file__).parents[2]
WORSE = {"overfitting": Said("confirmed", "it rises")}
BETTER: dict[str, Said] = {}


def test_a_verdict_is_told_once_and_taken_back_only_when_two_looks_agree() -> None:
    watch = Watch()
    assert [(c.diagnosis, c.was, c.now) for c in watch.changes(WORSE)] == [("overfitting", "nothing", "confirmed")]
    assert watch.changes(WORSE) == []
    assert watch.changes(BETTER) == []
    assert watch.undecided
    assert watch.changes(WORSE) == []
    assert watch.changes(BETTER) == []
    assert [c.now for c in watch.changes(BETTER)] == ["nothing"]
    assert watch.confirmed == []


def test_the_state_of_a_folder_changes_with_a_file_that_grows_shrinks_or_is_replaced(tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    seen = [state([str(tmp_path)])]
    for text in ("a", "ab", "a"):
        log.write_text(text)
        os.utime(log, ns=(0, len(seen)))
        seen.append(state([str(tmp_path)]))
    log.rename(tmp_path / "log.csv.1")
    seen.append(state([str(tmp_path)]))
    assert all(a != b for a, b in pairwise(seen))


def log(path: Path, epochs: int, turn: int) -> None:
    """Losses of a run whose validation loss turns up at an epoch."""
    rows = [
        f"{e},{2 * 0.8**e + 0.01},{2 * 0.8 ** min(e, turn) + 0.05 * max(0, e - turn) + 0.05}" for e in range(epochs)
    ]
    path.write_text("\n".join(["epoch,train_loss,val_loss", *rows]) + "\n")


@pytest.fixture
def watching(tmp_path: Path):
    """Starts the program on a folder; what it says comes line by line."""
    started = []

    def start(*words: str) -> subprocess.Popen[str]:
        environment = {**os.environ, "NN_DOCTOR_HOME": str(tmp_path / "home"), "PYTHONPATH": str(ROOT)}
        process = subprocess.Popen([*PROGRAM, *words], env=environment, stdout=subprocess.PIPE, text=True)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def heard(process: subprocess.Popen[str]) -> dict[str, object]:
    assert process.stdout is not None
    return dict(json.loads(process.stdout.readline()))


def test_a_log_that_appears_grows_and_turns_is_followed_to_the_verdict(watching, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    process = watching(str(folder), "--until-confirmed")
    assert heard(process)["event"] == "problem"  # there is nothing yet
    folder.mkdir()
    log(folder / "log.csv", epochs=12, turn=99)
    assert heard(process)["event"] == "readable"
    log(folder / "log.csv", epochs=30, turn=8)
    said = heard(process)
    assert (said["diagnosis"], said["status"], said["was"]) == ("overfitting", "confirmed", "nothing")
    assert "lowest at epoch 8" in str(said["because"])
    end = heard(process)
    assert (end["event"], end["confirmed"], end["read"]) == ("end", ["overfitting"], True)
    assert process.wait(60) == 1


def test_a_truncated_log_takes_its_verdict_back_and_an_interrupt_ends_with_the_exit_code(
    watching, tmp_path: Path
) -> None:
    log(tmp_path / "log.csv", epochs=30, turn=8)
    process = watching(str(tmp_path / "log.csv"))
    assert heard(process)["status"] == "confirmed"
    (tmp_path / "log.csv").write_text("")  # rotated: nothing can be read for a moment
    assert heard(process)["event"] == "problem"
    log(tmp_path / "log.csv", epochs=12, turn=99)
    assert heard(process)["event"] == "readable"
    said = heard(process)
    assert (said["diagnosis"], said["was"], said["status"]) == ("overfitting", "confirmed", "nothing")
    process.send_signal(signal.SIGINT)
    assert heard(process)["event"] == "end"
    assert process.wait(60) == 0


def test_what_is_never_read_ends_with_exit_code_2(watching, tmp_path: Path) -> None:
    process = watching(str(tmp_path / "nowhere"), "--idle", "0.1")
    assert [heard(process)["event"], heard(process)["event"]] == ["problem", "end"]
    assert process.wait(60) == 2
