from __future__ import annotations

from dataclasses import replace

import pytest
from small_world import finding

from assistant.engine.beliefs import OTHER, Belief, beliefs, upstream
from assistant.engine.choose import World
from assistant.engine.events import Answered, Event, Found, Provided, Said, Withdrew
from assistant.engine.session import Session


def ranked(world: World, *events: Event) -> dict[str, Belief]:
    return {b.id: b for b in beliefs(world.entries, world.symptoms, Session(events), world.weights)}


def test_probabilities_of_the_unconfirmed_sum_to_one(world: World) -> None:
    assert sum(b.probability for b in ranked(world).values()) == pytest.approx(1)


def test_an_answer_moves_the_odds_by_its_likelihood_ratio(world: World) -> None:
    before, after = ranked(world), ranked(world, Answered("val-loss-rises", "yes"))
    odds = [r["overfitting"].probability / r["exploding"].probability for r in (before, after)]
    assert odds[1] / odds[0] == pytest.approx(0.95 / 0.10)


def test_not_sure_moves_nothing(world: World) -> None:
    assert ranked(world, Answered("stuck", "unsure"))["dead-relu"].probability == ranked(world)["dead-relu"].probability


def test_what_is_taken_back_counts_no_more(world: World) -> None:
    said = Said("it is nan", {"loss-is-nan": True}, {})
    back = ranked(world, said, Withdrew("loss-is-nan"))
    assert back["exploding"].reasons == ()


def test_two_verdicts_from_one_source_are_one_witness(world: World) -> None:
    one = finding("a", ("exploding", "suspected", "inferred", "curves"))
    two = finding("b", ("exploding", "suspected", "inferred", "curves"))
    other = finding("b", ("exploding", "suspected", "inferred", "weights"))
    alone = ranked(world, Found(one))["exploding"].probability
    assert ranked(world, Found(one), Found(two))["exploding"].probability == alone
    assert ranked(world, Found(one), Found(other))["exploding"].probability > alone


def test_a_proof_against_beats_a_threshold_for(world: World) -> None:
    found = finding(
        "a", ("exploding", "confirmed", "inferred", "curves"), ("exploding", "ruled_out", "proved", "weights")
    )
    assert ranked(world, Found(found))["exploding"].status == "suspected"


def test_a_confirmed_cause_explains_its_symptoms_away(world: World) -> None:
    events = (Answered("loss-is-nan", "yes"), Found(finding("a", ("exploding", "confirmed", "measured", "curves"))))
    after = ranked(world, *events)
    assert after["exploding"].status == "confirmed"
    assert after["exploding"].probability > 0.9
    assert all(r.what != "answer" for r in after["dead-relu"].reasons)
    assert after[OTHER].probability > 0.5


def test_inconclusive_says_nothing(world: World) -> None:
    after = ranked(world, Found(finding("a", ("exploding", "inconclusive", "inferred", "curves"))))
    assert after["exploding"].status == "unknown"
    assert after["exploding"].reasons == ()


def test_new_files_make_old_findings_stale(world: World) -> None:
    found = Found(finding("a", ("exploding", "confirmed", "proved", "curves")))
    assert ranked(world, found, Provided(("/b",), None, ("log",)))["exploding"].status == "unknown"


def test_what_was_measured_orders_what_was_confirmed_not_what_was_said(world: World) -> None:
    twice = finding(
        "a", ("dead-relu", "confirmed", "measured", "weights"), ("dead-relu", "confirmed", "measured", "batch")
    )
    once = finding("b", ("exploding", "confirmed", "measured", "curves"))
    said = Said("it explodes", {"loss-is-nan": True}, {"exploding": 3.0})
    assert list(ranked(world, said, Found(once), Found(twice)))[:2] == ["dead-relu", "exploding"]


def test_a_consequence_stands_behind_its_cause(world: World) -> None:
    cause = replace(world.entries["exploding"], leads_to=("dead-relu",))
    entries = {**world.entries, "exploding": cause}
    found = [
        Found(finding("a", ("dead-relu", "confirmed", "measured", "weights"))),
        Found(finding("b", ("exploding", "confirmed", "measured", "curves"))),
    ]
    order = [b.id for b in beliefs(entries, world.symptoms, Session(tuple(found)), world.weights)]
    assert order[:2] == ["exploding", "dead-relu"]
    assert upstream(entries, beliefs(entries, world.symptoms, Session(tuple(found)), world.weights), "dead-relu") == [
        "exploding"
    ]


def test_a_suspected_consequence_stands_behind_its_suspected_cause(world: World) -> None:
    found = [
        Found(finding("a", ("dead-relu", "suspected", "inferred", "weights"))),
        Found(finding("b", ("exploding", "suspected", "inferred", "curves"))),
    ]

    def order(cause: str, consequence: str) -> list[str]:
        entries = {**world.entries, cause: replace(world.entries[cause], leads_to=(consequence,))}
        return [b.id for b in beliefs(entries, world.symptoms, Session(tuple(found)), world.weights)][:2]

    assert order("exploding", "dead-relu") == ["exploding", "dead-relu"]
    assert order("dead-relu", "exploding") == ["dead-relu", "exploding"]


def test_what_only_describes_a_run_stands_behind_its_cause_however_sure_it_is(world: World) -> None:
    many = {
        f"cause-{i}": replace(world.entries["exploding"], id=f"cause-{i}", leads_to=("dead-relu",)) for i in range(8)
    }
    twice = ("dead-relu", "confirmed", "proved", "weights"), ("dead-relu", "confirmed", "proved", "batch")
    found = [Found(finding("a", *twice)), Found(finding("b", ("cause-0", "confirmed", "inferred", "curves")))]
    order = beliefs({**world.entries, **many}, world.symptoms, Session(tuple(found)), world.weights)
    assert [b.id for b in order][:2] == ["cause-0", "dead-relu"]
