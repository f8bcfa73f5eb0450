"""Conversations without a worker: whatever a person sends, there is a next step, and it ends."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_world import finding

from assistant.consult import Consult
from assistant.engine.reply import Reply
from assistant.engine.steps import Diagnosis, End, Measure, Request
from knowledge.load import KnowledgeBase, load
from knowledge.search import Index
from probes.client import Worker
from probes.errors import Unreadable
from probes.finding import Finding


@cache
def base() -> tuple[KnowledgeBase, Index]:
    kb = load()
    return kb, Index(kb)


class Scripted(Worker):
    """Opens everything as a checkpoint and a log, and reports what it is told to."""

    def __init__(self, **findings: Finding) -> None:
        super().__init__()
        self.findings = findings

    def open(self, paths: Sequence[Any], target: Any = None, on_progress: Any = None) -> dict[str, Any]:
        if "missing" in str(paths):
            raise Unreadable("there is no such file", str(paths[-1]), "check the path")
        made = [{"path": str(p), "kind": k, "format": k, "warnings": []} for p in paths for k in ("checkpoint", "log")]
        return {"artifacts": made}

    def run(self, probe_id: str, on_progress: Any = None) -> Finding:
        return self.findings.get(probe_id.replace("-", "_")) or Finding(probe_id, "nothing", "could-not-check")


def consult(**findings: Finding) -> Consult:
    return Consult(*base(), Scripted(**findings))


replies = st.one_of(
    st.sampled_from(["yes", "no", "unsure", "4", "5", "9", "maybe?"]).map(lambda a: Reply(answer=a)),
    st.sampled_from(["skip", "why", "back", "probe", "help"]).map(lambda c: Reply(command=c)),
    st.sampled_from(["/run", "/missing"]).map(lambda p: Reply(path=p)),
    st.text(max_size=40).map(lambda t: Reply(text=t)),
    st.just(Reply()),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(replies, max_size=15))
def test_any_replies_lead_on_and_the_end_is_near(sent: list[Reply]) -> None:
    talk = consult()
    for reply in sent:
        assert all(note.text for note in talk.reply(reply))
        assert talk.question()
    for _ in range(60):
        if isinstance(talk.step, End):
            break
        talk.reply(Reply(command="skip"))
    assert isinstance(talk.step, End)
    assert talk.conclusion()


def test_a_missing_path_is_said_and_asked_again() -> None:
    talk = consult()
    talk.reply(Reply(text="something is off"))
    assert isinstance(talk.step, Request)
    notes = talk.reply(Reply(path="/missing"))
    assert notes[0].error
    assert isinstance(talk.step, Request)


def test_a_probe_that_crashed_is_listed_as_not_checked() -> None:
    crashed = Finding("dead-units", "the worker was killed (signal 9)", "crashed")
    talk = consult(dead_units=crashed)
    talk.reply(Reply(path="/run"))
    while isinstance(talk.step, Measure):
        talk.reply(Reply())
    text = "\n".join(getattr(b, "text", "") for b in talk.conclusion())
    assert "signal 9" in text


def test_two_faults_are_both_told() -> None:
    talk = consult(
        dead_units=finding("dead-units", ("dead-relu", "confirmed", "measured", "optimizer-state")),
        learning_curves=finding("learning-curves", ("overfitting", "confirmed", "measured", "curves")),
    )
    talk.reply(Reply(path="/run"))
    told = []
    while not isinstance(talk.step, End):
        if isinstance(talk.step, Diagnosis):
            told.append(talk.step.id)
        talk.reply(Reply() if isinstance(talk.step, Measure | Diagnosis) else Reply(command="skip"))
    assert set(told[:2]) == {"dead-relu", "overfitting"}


@pytest.mark.parametrize("words", ["", "   ", "\x00\x1b[31m", "x" * 5000])
def test_odd_complaints_are_taken(words: str) -> None:
    talk = consult()
    talk.tell(words)
    assert talk.question()
