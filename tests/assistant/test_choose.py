from __future__ import annotations

from dataclasses import replace

from small_world import finding

from assistant.engine.choose import World, next_step
from assistant.engine.events import Answered, Declined, Event, Found, Provided, Said, Told
from assistant.engine.session import Session
from assistant.engine.steps import COMPLAINT, FILES, TARGET, Ask, Diagnosis, End, Measure, Request, Step

SAID = Said("something is off", {}, {})


def step(world: World, *events: Event, candidate: str = "") -> Step:
    return next_step(world, Session(events), candidate)


def test_it_begins_by_listening(world: World) -> None:
    assert step(world) == Ask(COMPLAINT)


def test_what_files_can_tell_is_measured_before_anything_is_asked(world: World) -> None:
    chosen = step(world, SAID, Provided(("/run",), None, ("log",)))
    assert isinstance(chosen, Measure)
    assert chosen.id == "curves"


def test_a_probe_is_run_once(world: World) -> None:
    done = Found(finding("curves", ("overfitting", "ruled_out", "measured", "curves")))
    assert not isinstance(step(world, SAID, Provided(("/run",), None, ("log",)), done), Measure)


def test_without_files_it_asks_for_them(world: World) -> None:
    chosen = step(world, SAID)
    assert isinstance(chosen, Request)
    assert chosen.id == FILES


def test_who_has_no_files_is_asked_the_question_worth_most(world: World) -> None:
    chosen = step(world, SAID, Declined(f"request:{FILES}"))
    assert isinstance(chosen, Ask)
    assert chosen.id == "val-loss-rises"


def test_a_question_is_not_asked_twice(world: World) -> None:
    events: list[Event] = [SAID, Declined(f"request:{FILES}")]
    seen = []
    while isinstance(chosen := step(world, *events), Ask):
        seen.append(chosen.id)
        events.append(Answered(chosen.id, "unsure"))
    assert len(seen) == len(set(seen)) > 1


def test_leave_to_run_code_is_asked_only_if_there_is_code(world: World) -> None:
    found = Found(finding("units", ("dead-relu", "inconclusive", "inferred", "optimizer-state")))
    events = (SAID, Provided(("/run",), None, ("checkpoint",)), found)
    assert not isinstance(step(world, *events), Request)
    asked = [e for e in [step(world, *events, candidate="model.py")] if isinstance(e, Request)]
    assert not asked or asked[0].id == TARGET


def test_what_is_confirmed_is_told_once_and_then_it_ends(world: World) -> None:
    events: tuple[Event, ...] = (
        Said("stuck", {"stuck": True}, {}),
        Provided(("/run",), None, ("checkpoint",)),
        Found(finding("units", ("dead-relu", "confirmed", "measured", "optimizer-state"))),
    )
    told = step(world, *events)
    assert isinstance(told, Diagnosis)
    assert told.id == "dead-relu"
    assert step(world, *events, Told("dead-relu")) == End()


def test_a_complaint_that_is_not_explained_is_followed_up(world: World) -> None:
    events = (
        Said("nan", {"loss-is-nan": True}, {}),
        Provided(("/run",), None, ("checkpoint",)),
        Found(finding("units", ("dead-relu", "confirmed", "measured", "optimizer-state"))),
        Told("dead-relu"),
    )
    assert isinstance(step(world, *events), Ask)


def test_a_description_is_no_cause_and_the_search_goes_on(world: World) -> None:
    many = {
        f"cause-{i}": replace(world.entries["exploding"], id=f"cause-{i}", leads_to=("dead-relu",)) for i in range(8)
    }
    wide = replace(world, entries={**world.entries, **many})
    events = (
        Said("stuck", {"stuck": True}, {}),
        Provided(("/run",), None, ("checkpoint",)),
        Found(finding("units", ("dead-relu", "confirmed", "measured", "optimizer-state"))),
        Told("dead-relu"),
    )
    assert step(world, *events) == End()
    assert isinstance(step(wide, *events), Ask | Request)
