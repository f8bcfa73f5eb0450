"""The program as others script against it: real processes, real files, exit codes, JSON shapes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import tiny_run

PROGRAM = [sys.executable, "-m", "assistant.cli"]
ROOT = Path(__file__).parents[2]


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    return {**os.environ, "NN_DOCTOR_HOME": str(tmp_path / "home"), "PYTHONPATH": str(ROOT)}


def run(home: dict[str, str], *words: str, typed: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run([*PROGRAM, *words], env=home, input=typed, capture_output=True, text=True, timeout=120)


def one_sentence(text: str) -> bool:
    return "Traceback" not in text and text.startswith("nn-doctor: ") and len(text.strip().splitlines()) == 1


def test_check_confirms_and_says_so_by_its_exit_code(home: dict[str, str], tmp_path: Path) -> None:
    done = run(home, "check", str(tiny_run.overfitting(tmp_path / "run")), "--format", "json")
    report = json.loads(done.stdout)
    assert done.returncode == 1
    assert report["healthy"] is False
    first = report["diagnoses"][0]
    assert (first["id"], first["status"]) == ("overfitting", "confirmed")
    assert first["because"]
    assert first["probes"] == ["learning-curves"]
    assert set(first["fixes"][0]) == {"title", "why", "how"}
    assert report["artifacts"]["logs"] == [str(tmp_path / "run" / "metrics.csv")]
    assert report["artifacts"]["target"] is None
    assert {s["probe"] for s in report["skipped"]} >= {"dead-units"}


def test_check_of_a_healthy_run_finds_nothing(home: dict[str, str], tmp_path: Path) -> None:
    done = run(home, "check", str(tiny_run.healthy(tmp_path / "run")), "--format", "json")
    assert done.returncode == 0
    report = json.loads(done.stdout)
    assert report["healthy"] is True
    assert not [d for d in report["diagnoses"] if d["status"] in ("confirmed", "suspected")]


@pytest.mark.parametrize("form", ["text", "markdown", "html"])
def test_reports_for_people_name_the_fault_and_the_fix(home: dict[str, str], tmp_path: Path, form: str) -> None:
    out = tmp_path / "report"
    run(home, "check", str(tiny_run.overfitting(tmp_path / "run")), "--format", form, "-o", str(out))
    text = out.read_text()
    assert "Overfitting: confirmed" in text
    assert "Keep the checkpoint" in text


def broken_files(folder: Path) -> dict[str, Path]:
    whole = tiny_run.weights(folder)
    cases = {"truncated.safetensors": whole.read_bytes()[:200], "empty.pt": b"", "noise.ckpt": bytes(range(256)) * 4}
    for name, data in cases.items():
        (folder / name).write_bytes(data)
    (folder / "nothing").mkdir()
    return {**{name: folder / name for name in cases}, "nothing": folder / "nothing", "missing": folder / "missing.pt"}


@pytest.mark.parametrize("case", ["truncated.safetensors", "empty.pt", "noise.ckpt", "nothing", "missing"])
def test_bad_input_gets_one_sentence_and_exit_code_2(home: dict[str, str], tmp_path: Path, case: str) -> None:
    path = broken_files(tmp_path)[case]
    done = run(home, "check", str(path))
    assert done.returncode == 2
    assert one_sentence(done.stderr), done.stderr
    assert path.name in done.stderr


def test_the_conversation_goes_on_after_bad_input(home: dict[str, str], tmp_path: Path) -> None:
    bad = broken_files(tmp_path)
    good = tiny_run.overfitting(tmp_path / "run")
    typed = "\n".join(["validation loss goes up", *(str(p) for p in bad.values()), str(good)]) + "\n"
    done = run(home, "chat", typed=typed)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert "Overfitting: confirmed" in done.stdout


def test_names_in_files_cannot_reach_the_terminal(home: dict[str, str], tmp_path: Path) -> None:
    folder = tmp_path / "run\x1b[31m"
    tiny_run.overfitting(folder)
    for words in (["check", str(folder)], ["inspect", str(folder)], ["chat", str(folder)]):
        assert "\x1b" not in run(home, *words).stdout


class Talk:
    """A `chat --jsonl` process: one reply in, one step out."""

    def __init__(self, home: dict[str, str], *words: str) -> None:
        self.process = subprocess.Popen(
            [*PROGRAM, "chat", "--jsonl", *words], env=home, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.step = self.read()

    def read(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        step: dict[str, Any] = json.loads(self.process.stdout.readline())
        return step

    def say(self, **reply: str) -> dict[str, Any]:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(reply) + "\n")
        self.process.stdin.flush()
        self.step = self.read()
        return self.step

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()


def test_a_program_is_led_from_complaint_to_diagnosis(home: dict[str, str], tmp_path: Path) -> None:
    talk = Talk(home)
    assert (talk.step["type"], talk.step["id"]) == ("ask", "complaint")
    step = talk.say(text="the validation loss goes up while the training loss keeps falling")
    assert step["beliefs"][0]["id"] == "overfitting"
    assert step["type"] == "request"
    step = talk.say(path=str(tiny_run.overfitting(tmp_path / "run")))
    seen = []
    while step["type"] == "probe":
        seen.append(step["id"])
        step = talk.say(answer="yes")
        assert step["finding"]["probe"] == seen[-1]
    assert "learning-curves" in seen
    assert (step["type"], step["diagnosis"]["status"]) == ("diagnosis", "confirmed")
    while step["type"] != "end":
        step = talk.say(answer="unsure")
    assert step["report"]["diagnoses"][0]["id"] == "overfitting"
    talk.close()


def test_questions_take_all_kinds_of_replies(home: dict[str, str]) -> None:
    talk = Talk(home)
    talk.say(text="something is off")
    step = talk.say(answer="no")
    assert step["type"] == "ask"
    assert [c["answer"] for c in step["choices"][:3]] == ["yes", "no", "unsure"]
    asked = step["id"]
    assert talk.say(command="why")["notes"][0]["text"]
    step = talk.say(answer="yes")
    assert step["symptoms"][asked] == "yes"
    assert step["id"] != asked
    assert talk.say(command="back")["id"] == asked
    assert talk.say(command="skip")["id"] != asked
    assert talk.say(answer="banana")["notes"][0]["error"] is True
    talk.close()


def test_a_conversation_that_was_killed_resumes_where_it_was(home: dict[str, str], tmp_path: Path) -> None:
    talk = Talk(home)
    talk.say(text="the validation loss goes up while the training loss keeps falling")
    talk.say(path=str(tiny_run.overfitting(tmp_path / "run")))
    before = talk.say(answer="yes")
    os.kill(talk.process.pid, signal.SIGKILL)
    talk.close()
    again = Talk(home, "--resume")
    for key in ("type", "id", "beliefs", "symptoms"):
        assert again.step[key] == before[key]
    again.say(answer="yes")
    again.close()


def children(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(word) for word in text.split()]


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="finds the worker through /proc")
def test_a_worker_that_is_killed_is_a_finding_and_the_conversation_goes_on(
    home: dict[str, str], tmp_path: Path
) -> None:
    talk = Talk(home)
    talk.say(text="the validation loss goes up")
    talk.say(path=str(tiny_run.overfitting(tmp_path / "run")))
    for pid in children(talk.process.pid):
        os.kill(pid, signal.SIGKILL)
    time.sleep(0.2)
    step = talk.say(answer="yes")
    assert step["type"] in ("probe", "diagnosis", "ask", "request")
    assert step["finding"]["probe"]
    talk.close()


def test_search_answers_or_says_that_it_does_not_know(home: dict[str, str]) -> None:
    hits = run(home, "search", "loss is nan after a few steps", "--format", "json")
    assert hits.returncode == 0
    assert {"id", "title", "score", "snippet"} <= set(json.loads(hits.stdout)[0])
    nothing = run(home, "search", "best pizza in town", "--format", "json")
    assert (nothing.returncode, json.loads(nothing.stdout)) == (1, [])


def test_explain_shows_an_entry_and_helps_with_a_typo(home: dict[str, str]) -> None:
    assert "# Dead ReLU" in run(home, "explain", "dead-relu").stdout
    wrong = run(home, "explain", "ded-relu")
    assert wrong.returncode == 2
    assert "dead-relu" in wrong.stderr


def test_a_probe_runs_by_itself(home: dict[str, str], tmp_path: Path) -> None:
    bad = tiny_run.weights(tmp_path, nan=True)
    done = run(home, "probe", "run", "nonfinite-weights", str(bad), "--format", "json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["verdicts"][0]["verdict"] == "confirmed"
    assert "Cannot tell" in run(home, "probe", "show", "nonfinite-weights").stdout


def test_inspect_says_what_was_understood(home: dict[str, str], tmp_path: Path) -> None:
    done = run(home, "inspect", str(tiny_run.overfitting(tmp_path / "run")), "--format", "json")
    by_kind = {a["kind"]: a for a in json.loads(done.stdout)["artifacts"]}
    assert by_kind["checkpoint"]["parameters"] == 16 * 8 + 16 + 3 * 16 + 3
    assert by_kind["checkpoint"]["nonfinite"] == 0
    loss = next(s for s in by_kind["log"]["series"] if s["name"] == "train/loss")
    assert (loss["points"], loss["column"]) == (40, "train_loss")
    assert by_kind["target"]["path"].endswith("model.py")


def test_code_is_run_only_when_asked_for(home: dict[str, str], tmp_path: Path) -> None:
    folder = tiny_run.overfitting(tmp_path / "run")
    trap = folder / "model.py"
    trap.write_text(trap.read_text() + f"\nopen({str(tmp_path / 'ran')!r}, 'w').close()\n")
    run(home, "check", str(folder))
    assert not (tmp_path / "ran").exists()
    run(home, "check", str(folder), "--target", str(trap))
    assert (tmp_path / "ran").exists()


def test_a_column_can_be_called_what_it_is(home: dict[str, str], tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    log.write_text("epoch,train_loss,nll\n" + "".join(f"{i},{2 / i},{1 + i / 10}\n" for i in range(1, 21)))
    seen = json.loads(run(home, "inspect", str(log), "--format", "json", "--map", "val/loss=nll").stdout)
    assert {s["column"]: s["name"] for s in seen["artifacts"][0]["series"]}["nll"] == "val/loss"
    report = json.loads(run(home, "check", str(log), "--format", "json", "--map", "val/loss=nll").stdout)
    assert report["diagnoses"][0]["id"] == "overfitting"
    for wrong in ("val/loss", "val/loss=eval_nll"):
        refused = run(home, "check", str(log), "--map", wrong)
        assert refused.returncode == 2
        assert one_sentence(refused.stderr)
